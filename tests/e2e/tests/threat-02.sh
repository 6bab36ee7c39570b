# Which programs the daemon runs as emulators (T2): run by threats/programs.rs in a booted Debian with the daemon installed, as root.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

users mallory
# program FILE: writes one that tells that it was run
program() {
    mkdir -p "$(dirname "$1")"
    printf '#!/bin/sh\ntouch /run/ran/%s\nexec /usr/bin/qemu-system-x86_64 "$@"\n' "$(basename "$1")" > "$1"
    chmod 755 "$1"
}
ran() { [ -e "/run/ran/$1" ]; }
mkdir -m 1777 /run/ran

with() { plain "$1" | sed "s|</os>|</os><devices><emulator>$2</emulator></devices>|"; }    # with NAME EMULATOR: a document
# not_run WHY PROGRAM: no call may run it, and the answer must tell why
not_run() {
    local why=$1 path=$2 answer call
    for call in "DomainDefineXML s" "DomainCreateXML su"; do
        # shellcheck disable=SC2086
        case $call in
            DomainDefineXML*) answer=$(connect root $call "$(with bad "$path")") && fail "$path is taken: $answer";;
            *) answer=$(connect root $call "$(with bad "$path")" 0) && fail "$path is taken: $answer";;
        esac
        case $answer in *"$why"*) ;; *) fail "$path: $answer";; esac
    done
    answer=$(connect root GetDomainCapabilities ssssu "$path" "" "" "" 0) && fail "$path is asked: $answer"
    case $answer in *"$why"*) ;; *) fail "$path: $answer";; esac
    ran "$(basename "$path")" && fail "$path was run"
    return 0
}

check "a program elsewhere is not run, whoever it belongs to"
program /srv/emulators/rooted
program /home/mallory/owned && chown -R mallory: /home/mallory
not_run "setting qemu.emulator_path names" /srv/emulators/rooted
not_run "setting qemu.emulator_path names" /home/mallory/owned
not_run "without '..'" /usr/bin/../../srv/emulators/rooted

check "nor one in a place for emulators that somebody else could exchange"
program /usr/local/bin/qemu-theirs && chown mallory /usr/local/bin/qemu-theirs
program /usr/local/bin/qemu-open && chmod 777 /usr/local/bin/qemu-open
ln -s /home/mallory/owned /usr/local/bin/qemu-link
not_run "belongs to user" /usr/local/bin/qemu-theirs
not_run "can be written by others" /usr/local/bin/qemu-open
not_run "belongs to user" /usr/local/bin/qemu-link
ran owned && fail "a link's target was run"

check "the one that the distribution has is run"
path=$(define "$(with good /usr/bin/qemu-system-x86_64)")
allowed domain root "$path" Undefine u 0

check "a directory that the settings add is one for emulators"
mkdir -p /etc/virtbus
printf '[qemu]\nemulator_path = ["/usr/bin", "/srv/emulators"]\n' > /etc/virtbus/virtbusd.toml
systemctl restart virtbusd.service
path=$(define "$(with good /srv/emulators/rooted)")
ran rooted || fail "the program was not asked what it can do"
allowed domain root "$path" Undefine u 0

echo "all checks passed"
