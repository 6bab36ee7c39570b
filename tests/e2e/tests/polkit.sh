# Who may call what: run by tests/polkit.rs in a booted Debian with the daemon installed, as
# root.  alice and mallory are ordinary users, bob is an administrator with a password.
# Prints what it checks; the first check that fails ends it.
set -euo pipefail

node=/org/libvirt/QEMU
check() { echo "check: $*"; }
fail() {
    echo "FAILED: $*"
    systemctl status --no-pager virtbusd.service | head -20 || true
    journalctl --no-pager -u virtbusd.service -u polkit.service -n 60 || true
    exit 1
}
until_true() {    # until_true SECONDS WHAT COMMAND...
    local left=$(($1 * 10)) what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "waited in vain for $what"
        sleep 0.1
    done
}

# as USER BUSCTL-ARGUMENT...: prints the answer or the error
as() {
    local user=$1
    shift
    runuser -u "$user" -- busctl --timeout=60 --allow-interactive-authorization=no "$@" 2>&1
}
connect() { local user=$1; shift; as "$user" call org.libvirt $node org.libvirt.Connect "$@"; }
domain() { local user=$1 path=$2; shift 2; as "$user" call org.libvirt "$path" org.libvirt.Domain "$@"; }
# busctl writes this, and its own words, for org.freedesktop.DBus.Error.AccessDenied alone
denied() { case $1 in *'Access denied'*) return 0;; *) return 1;; esac; }
refused() {    # refused COMMAND...: must be refused for want of rights
    local answer
    answer=$("$@") && fail "allowed: $*"
    denied "$answer" || fail "$*: not refused for want of rights: $answer"
}
absent() {    # absent COMMAND...: must be answered as if there were no such guest
    local answer
    answer=$("$@") && fail "found: $*"
    case $answer in *"Domain not found"*) ;; *) fail "$*: not as if it were not there: $answer";; esac
}
allowed() {    # allowed COMMAND...: must succeed
    local answer
    answer=$("$@") || fail "$*: $answer"
}
state() { domain root "$1" GetState u 0; }
active() { [ "$(systemctl is-active virtbusd.service)" = active ]; }
inactive() { [ "$(systemctl is-active virtbusd.service)" = inactive ]; }
emulator() { pgrep -f 'qemu-system-x86_64.*guest=web' | head -1; }

for user in alice mallory bob; do useradd -m "$user"; done
echo 'bob:open sesame' | chpasswd
usermod -aG sudo bob

check "the first call starts the daemon"
inactive || fail "it runs before anybody called"
[ "$(connect root ListDomains u 0)" = 'ao 0' ] || fail "there are guests already"
until_true 50 "systemd to know that it runs" active    # the name comes first

check "root defines three guests"
mkdir -p /srv/boot && cp /guest/vmlinux /guest/initrd /srv/boot/
declare -A path
for name in web mail vault; do
    xml="<domain type='qemu'><name>$name</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/srv/boot/vmlinux</kernel><initrd>/srv/boot/initrd</initrd>
<cmdline>quiet panic=-1 no_timer_check tiny.nodhcp</cmdline></os><features><acpi/></features></domain>"
    answer=$(connect root DomainDefineXML s "$xml") || fail "$name: $answer"
    path[$name]=$(sed -n 's/^o "\(.*\)"$/\1/p' <<< "$answer")
done

check "anybody may look"
[ "$(connect alice ListDomains u 0 | cut -d ' ' -f 1-2)" = 'ao 3' ] || fail "alice sees others: $(connect alice ListDomains u 0)"
allowed connect alice GetCapabilities
allowed connect alice DomainLookupByName s web
allowed as alice get-property org.libvirt $node org.libvirt.Connect LibVersion
allowed as alice call org.libvirt $node org.freedesktop.DBus.ObjectManager GetManagedObjects
allowed domain alice "${path[web]}" GetState u 0
allowed domain alice "${path[web]}" GetXMLDesc u 0
allowed as alice get-property org.libvirt "${path[web]}" org.libvirt.Domain Name
refused domain alice "${path[web]}" GetXMLDesc u 1    # passwords in it

check "without somebody to ask, interaction changes nothing"
answer=$(runuser -u alice -- busctl --timeout=60 call org.libvirt "${path[web]}" org.libvirt.Domain Create u 0 2>&1 < /dev/null) && fail "alice may start it"
denied "$answer" || fail "another error: $answer"

# Runs a command in this very process, with an agent that asks at the terminal for its sake.
cat > /usr/local/bin/with-agent <<'AGENT'
#!/bin/sh
registered=$(mktemp -u); mkfifo "$registered"
pkttyagent --process $$ --notify-fd 9 9> "$registered" &
read -r _ < "$registered"; rm "$registered"
exec "$@"
AGENT
chmod 755 /usr/local/bin/with-agent

# bob_defines PASSWORD: bob defines a guest at a terminal, and types this where he is asked for
# a password.  What the terminal shows is in $said.
bob_defines() {
    local line='' letter asked='' patience=60 status=0
    local xml="<domain type='qemu'><name>bobs</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    coproc dialog { runuser -u bob -- script -qec "with-agent busctl --timeout=60 call org.libvirt $node org.libvirt.Connect DomainDefineXML s \"$xml\"" /dev/null 2>&1; }
    # shellcheck disable=SC2154
    local from=${dialog[0]} to=${dialog[1]} pid=$dialog_PID
    said=
    while [ "$patience" -gt 0 ]; do
        if IFS= read -r -t 1 -n 1 -d '' letter <&"$from"; then
            line=$line$letter said=$said$letter
            case $line in *'assword: ') asked=yes line=; printf '%s\n' "$1" >&"$to";; esac
        elif [ $? -le 128 ]; then
            break
        else
            # what is typed before the terminal stops to echo is thrown away
            patience=$((patience - 1))
            [ -z "$asked" ] || printf '%s\n' "$1" >&"$to"
        fi
    done
    wait "$pid" || status=$?
    return "$status"
}
check "an administrator is asked for a password, once for everything"
refused connect bob DomainDefineXML s '<domain/>'
bob_defines 'abracadabra' && fail "any password will do: $said"
[ "$(connect root ListDomains u 0 | cut -d ' ' -f 2)" = 3 ] || fail "bob's guest is there"
bob_defines 'open sesame' || fail "the password is refused: $said"
case $said in *org.libvirt.unix.manage*) ;; *) fail "bob was asked about something else: $said";; esac
[ "$(connect root ListDomains u 0 | cut -d ' ' -f 2)" = 4 ] || fail "bob's guest is not there"
bobs=$(connect root DomainLookupByName s bobs | sed -n 's/^o "\(.*\)"$/\1/p')
allowed domain root "$bobs" Undefine u 0

check "a rule lets alice start and stop one guest, and nothing else"
cat > /etc/polkit-1/rules.d/50-alice.rules <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "alice" && action.lookup("domain_name") == "web" &&
        (action.id == "org.libvirt.api.domain.start" || action.id == "org.libvirt.api.domain.stop")) {
        return polkit.Result.YES;
    }
});
RULE
let_in() { started=$(domain alice "${path[web]}" Create u 0) && return; ! denied "$started"; }
until_true 20 "the rule to hold" let_in
[ -z "$started" ] || fail "alice's guest does not start: $started"
case $(state "${path[web]}") in '(ii) 1 '*) ;; *) fail "alice's guest does not run: $(state "${path[web]}")";; esac
refused domain alice "${path[mail]}" Create u 0
refused domain alice "${path[mail]}" Destroy u 0
for act in 'Suspend' 'Shutdown u 0' 'Reset u 0' 'Undefine u 0'; do
    # shellcheck disable=SC2086
    refused domain alice "${path[web]}" $act
done
refused as alice set-property org.libvirt "${path[web]}" org.libvirt.Domain Autostart b true
refused domain mallory "${path[web]}" Create u 0
refused domain mallory "${path[web]}" Destroy u 0

check "killed, the daemon is back with the next call, and the guest ran on in its own scope"
pid=$(emulator) daemon=$(systemctl show -P MainPID virtbusd.service)
[ -n "$pid" ] || fail "no emulator"
systemctl kill -s KILL --kill-whom=main virtbusd.service
until_true 10 "the daemon to end" test ! -e "/proc/$daemon"
case $(state "${path[web]}") in '(ii) 1 '*) ;; *) fail "the guest is not known to run: $(state "${path[web]}")";; esac
[ "$(systemctl show -P MainPID virtbusd.service)" != "$daemon" ] || fail "it is the same daemon"
[ "$(emulator)" = "$pid" ] || fail "the guest is another"
grep -q '\.scope$' "/proc/$pid/cgroup" || fail "the guest is in no scope: $(cat "/proc/$pid/cgroup")"
grep -q 'virtbusd\.service' "/proc/$pid/cgroup" && fail "the guest is in the daemon's group"

check "a guest that a rule hides is nowhere to be seen, and back when the rule is gone"
cat > /etc/polkit-1/rules.d/51-vault.rules <<'RULE'
polkit.addRule(function (action, subject) {
    if (action.id == "org.libvirt.api.domain.getattr" && action.lookup("domain_name") == "vault") {
        return polkit.Result.NO;
    }
});
RULE
sees() {    # sees USER NAME WHERE: whether a guest's path is in an answer
    local answer
    case $3 in
        list) answer=$(as "$1" call "$2" $node org.libvirt.Connect ListDomains u 0);;
        tree) answer=$(as "$1" --xml-interface introspect "$2" $node/domain);;
        objects) answer=$(as "$1" call "$2" $node org.freedesktop.DBus.ObjectManager GetManagedObjects);;
        all) answer=$(as "$1" call "$2" /org/libvirt org.freedesktop.DBus.ObjectManager GetManagedObjects);;
    esac || fail "$1 may not look at $3: $answer"
    case $answer in *"${path[web]##*/}"*) ;; *) fail "$1 does not see the others in $3: $answer";; esac
    case $answer in *"${path[vault]##*/}"*) return 0;; *) return 1;; esac
}
hidden() { ! sees "$@"; }
until_true 20 "the rule to hold" hidden alice org.libvirt list
for name in org.libvirt org.virtbus; do
    for where in list tree objects all; do
        sees alice "$name" "$where" && fail "alice sees it in $where by $name"
        sees root "$name" "$where" || fail "root does not see it in $where by $name"
    done
done
absent connect alice DomainLookupByName s vault
absent domain alice "${path[vault]}" GetState u 0
absent domain alice "${path[vault]}" Destroy u 0
case $(connect alice GetAllDomainStats uu 0 0) in *vault*) fail "alice sees it in statistics";; esac
rm /etc/polkit-1/rules.d/51-vault.rules
until_true 20 "the guest to be seen again" sees alice org.libvirt list

check "a saved guest is as forbidden as the guest"
for name in web vault; do
    [ "$name" = web ] || allowed domain root "${path[$name]}" Create u 0
    allowed domain root "${path[$name]}" Save ssu "/srv/$name.save" "" 0
done
cat > /etc/polkit-1/rules.d/52-images.rules <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "alice" && action.id.indexOf("org.libvirt.api.domain.") == 0) {
        return action.lookup("domain_name") == "vault" ? polkit.Result.NO : polkit.Result.YES;
    }
});
RULE
restored() { connect alice DomainRestore ssu "/srv/$1.save" "" 0 > /dev/null; }
until_true 20 "the rule to hold" restored web
case $(state "${path[web]}") in '(ii) 1 '*) ;; *) fail "the guest does not run: $(state "${path[web]}")";; esac
absent connect alice DomainRestore ssu /srv/vault.save "" 0
absent connect alice DomainSaveImageGetXMLDesc su /srv/vault.save 0
refused connect mallory DomainRestore ssu /srv/vault.save "" 0
case $(state "${path[vault]}") in '(ii) 5 '*) ;; *) fail "the guest was restored: $(state "${path[vault]}")";; esac
rm /etc/polkit-1/rules.d/52-images.rules /srv/*.save

check "idle with a guest, the daemon stays; idle without, it ends, and is back when called"
echo 'VIRTBUSD_ARGS=--idle-timeout 1' > /etc/default/virtbusd
systemctl restart virtbusd.service
sleep 4    # four times what it waits for
active || fail "it ended and left its guest alone"
allowed domain alice "${path[web]}" Destroy u 0
until_true 20 "the daemon to end" inactive
[ "$(systemctl show -P Result virtbusd.service)" = success ] || fail "it ended with $(systemctl show -P Result virtbusd.service)"
[ "$(connect alice ListDomains u 0 | cut -d ' ' -f 2)" = 3 ] || fail "the guests are gone"
until_true 50 "systemd to know that it runs again" active
echo "all checks passed"
