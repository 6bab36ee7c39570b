# What the scripts share that run in a booted Debian as root, each sourcing this from beside itself. A script prints what it checks,
# and last that all checks passed; the first check that fails ends it.
# shellcheck shell=bash
set -euo pipefail

node=/org/libvirt/QEMU
check() { echo "check: $*"; }
fail() {
    {    # not to standard output, which may be taken as an answer where this is called
        echo "FAILED: $*"
        systemctl status --no-pager virtbusd.service | head -20 || true
        journalctl --no-pager -u virtbusd.service -u polkit.service -u dbus.service -n 80 || true
    } >&2
    exit 1
}
until_true() {    # until_true SECONDS WHAT COMMAND...: waits five times what an idle machine needs at most
    local left=$(($1 * 50)) what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "waited in vain for $what"
        sleep 0.1
    done
}
# The test driver is served in these systems, for checks of what is decided above all drivers.
grep -q drivers /etc/default/virtbusd 2> /dev/null || echo "VIRTBUSD_ARGS='--drivers qemu,test'" >> /etc/default/virtbusd
users() { local user; for user in "$@"; do useradd -m "$user"; done; }
rule() { cat > "/etc/polkit-1/rules.d/$1.rules"; }    # rule NAME: installs a rule, which is read from the input

# The daemon and its guests, as the system sees them.
unit() { systemctl show -P "$1" virtbusd.service; }    # unit PROPERTY
active() { [ "$(systemctl is-active virtbusd.service)" = active ]; }
inactive() { [ "$(systemctl is-active virtbusd.service)" = inactive ]; }
emulator() { pgrep -f "qemu-system-x86_64.*guest=$1" | head -1; }    # emulator NAME: prints its process
in_a_scope() {    # in_a_scope PROCESS: a guest must be in one, and not in the daemon's group
    grep -q '\.scope$' "/proc/$1/cgroup" || fail "the guest is in no scope: $(cat "/proc/$1/cgroup")"
    if grep -q 'virtbusd\.service' "/proc/$1/cgroup"; then fail "the guest is in the daemon's group: $(cat "/proc/$1/cgroup")"; fi
}

# as USER BUSCTL-ARGUMENT...: prints the answer or the error; nobody is asked for a password
as() {
    local user=$1
    shift
    runuser -u "$user" -- busctl --timeout=60 --allow-interactive-authorization=no "$@" 2>&1
}
connect() { local user=$1; shift; as "$user" call org.libvirt $node org.libvirt.Connect "$@"; }
domain() { local user=$1 path=$2; shift 2; as "$user" call org.libvirt "$path" org.libvirt.Domain "$@"; }
guests() { connect "$1" ListDomains u 0 | cut -d ' ' -f 2; }    # guests USER: how many are seen
path_in() { sed -n 's/^o "\(.*\)"$/\1/p' <<< "$1"; }    # path_in ANSWER

# busctl writes this, and its own words, for org.freedesktop.DBus.Error.AccessDenied alone
denied() { case $1 in *'Access denied'*) return 0;; *) return 1;; esac; }
refused() {    # refused COMMAND...: must be refused for want of rights
    local answer
    answer=$("$@") && fail "allowed: $*"
    denied "$answer" || fail "$*: not refused for want of rights: $answer"
}
allowed() {    # allowed COMMAND...: must succeed
    local answer
    answer=$("$@") || fail "$*: $answer"
}
in_state() {    # in_state NUMBER PATH WHO: the guest must be in that state
    local state
    state=$(domain root "$2" GetState u 0) || fail "$3 is not known: $state"
    case $state in "(ii) $1 "*) ;; *) fail "$3 is in the state $state, and not $1";; esac
}

plain() {    # plain NAME [TYPE]: the document of a guest of which nothing matters
    echo "<domain type='${2:-qemu}'><name>$1</name><memory>65536</memory><os><type>hvm</type></os></domain>"
}
bootable() {    # bootable NAME [WORD [DEVICES]]: the document of a guest that boots; the word is for its kernel
    mkdir -p /srv/boot && cp /guest/vmlinux /guest/initrd /srv/boot/
    echo "<domain type='qemu'><name>$1</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/srv/boot/vmlinux</kernel><initrd>/srv/boot/initrd</initrd>
<cmdline>${2:+$2 }quiet panic=-1 no_timer_check tiny.nodhcp</cmdline></os><features><acpi/></features>
<devices>${3:-}</devices></domain>"
}
define() {    # define DOCUMENT: root defines a guest; prints its path
    local answer
    answer=$(connect root DomainDefineXML s "$1") || fail "$1 cannot be defined: $answer"
    path_in "$answer"
}
