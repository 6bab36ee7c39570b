# The daemon as a distribution ships it: run by tests/system.rs in a booted Debian, as root.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

says() { grep -q "$1" /var/log/virtbus/qemu/console/shipped.log 2>/dev/null; }
no_emulator() { [ -z "$(emulator shipped)" ]; }

users alice

check "nobody called: the daemon does not run"
! active || fail "the daemon runs before anybody called"

check "the first call starts it, by either name"
[ "$(guests root)" = 0 ] || fail "there are guests already"
until_true 50 "systemd to know that the daemon runs" active    # the name comes first
busctl status org.virtbus > /dev/null || fail "org.virtbus is not owned"
[ "$(unit NotifyAccess)" = main ] || fail "the unit is another"

check "systemctl asks how it logs, and changes it"
log_level() { systemctl service-log-level virtbusd.service "$@"; }
log_target() { systemctl service-log-target virtbusd.service "$@"; }
journal_has() { journalctl --sync; journalctl -q --no-pager -t virtbusd "$@" | grep -q .; }
[ "$(log_level)" = info ] || fail "it logs $(log_level)"
[ "$(log_target)" = journal ] || fail "it logs to $(log_target)"
journal_has -p debug --grep 'log level was changed' && fail "somebody was here before"
log_level debug || fail "no other level"
[ "$(log_level)" = debug ] || fail "it logs $(log_level)"
journal_has -p info --grep 'log level was changed' || fail "the journal does not have it, or not as information"
journal_has -p notice --grep 'log level was changed' && fail "information has a priority that is too high"
refused as alice set-property org.libvirt /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel s emerg
log_target console || fail "no other target"
[ "$(log_target)" = console ] || fail "it logs to $(log_target)"
log_target kmsg 2> /dev/null && fail "it cannot log to the kernel"
log_target auto || fail "no way back to the first target"
log_level info || fail "no way back to the first level"
[ "$(log_level) $(log_target)" = 'info journal' ] || fail "it logs $(log_level) to $(log_target)"

check "anybody may look, nobody but root may change"
allowed connect alice ListDomains u 0
refused connect alice DomainDefineXML s "$(plain alices)"
[ "$(guests root)" = 0 ] || fail "alice's guest is there"

check "a guest runs as virtbus-qemu"
guest=$(define "$(bootable shipped console=ttyS0 "<serial type='file'><source path='/var/log/virtbus/qemu/console/shipped.log'/><log file='/srv/second.console'/></serial>")")
allowed domain root "$guest" Create u 0
until_true 100 "the guest" says 'TINY-GUEST READY'
grep -q 'TINY-GUEST READY' /srv/second.console || fail "the console in a directory of root's is empty"
[ "$(stat -c '%U %a' /srv/second.console)" = 'virtbus-qemu 600' ] || fail "the console is $(stat -c '%U %a' /srv/second.console)"
pid=$(emulator shipped)
[ "$(stat -c %U "/proc/$pid")" = virtbus-qemu ] || fail "the guest runs as $(stat -c %U "/proc/$pid")"

check "what QEMU reads while it starts is handed to it, and not looked for by a path"
for file in vmlinux initrd; do
    readlink /proc/"$pid"/fd/* | grep -qx "/srv/boot/$file" || fail "QEMU has no descriptor of $file"
    if tr '\0' '\n' < "/proc/$pid/cmdline" | grep -q "/srv/boot/$file"; then fail "QEMU looks for $file by its path"; fi
done

check "a guest is in a scope of its own"
in_a_scope "$pid"

check "nothing that everybody can read has a guest's name, but the list of processes"
for told in "$(cat /proc/net/unix)" "$(systemctl list-units --all --no-legend --plain)" "$(find /sys/fs/cgroup -type d)"; do
    case $told in *shipped*) fail "the guest is named in: $(grep shipped <<< "$told")";; esac
done
grep -q '/run/virtbus/qemu/domain-[0-9]' /proc/net/unix || fail "there is no socket to be seen"

check "the user as whom guests run is refused everything"
refused connect virtbus-qemu ListDomains u 0
refused connect virtbus-qemu GetCapabilities
answer=$(domain virtbus-qemu "$guest" GetXMLDesc u 0) && fail "a guest reads definitions"
answer=$(domain virtbus-qemu "$guest" Destroy u 0) && fail "a guest ends a guest"

check "a guest of a long name is in a scope too"
long=$(printf 'ä%.0s' $(seq 60))
longs=$(define "$(plain "$long")")
allowed domain root "$longs" Create u 0
in_a_scope "$(emulator "$long")"
allowed domain root "$longs" Destroy u 0

check "a unit of somebody else is left alone, whatever it is called"
foreign=()
for number in $(seq 1 40); do
    # as libvirt names the scope of its guest of this name, and this daemon once did
    systemd-run --quiet --scope --unit="machine-qemu\\x2d$number\\x2dother.scope" --slice=machine.slice sleep 1000 < /dev/null > /dev/null 2>&1 &
    foreign+=($!)
done
all_there() { [ "$(systemctl list-units --no-legend --plain 'machine-qemu*' | grep -c 'other\.scope.*running')" = 40 ]; }
until_true 20 "foreign scopes" all_there
others=$(define "$(plain other)")
allowed domain root "$others" Create u 0
in_a_scope "$(emulator other)"
allowed domain root "$others" Destroy u 0
sleep 1
for process in "${foreign[@]}"; do
    kill -0 "$process" 2> /dev/null || fail "a process of somebody else was killed"
done
kill "${foreign[@]}"

check "a start that fails leaves no scope"
echo nothing > /srv/boot/empty
broken=$(define "$(bootable broken | sed 's,/srv/boot/vmlinux,/srv/boot/empty,')")
for number in $(seq 10); do
    domain root "$broken" Create u 0 > /dev/null && fail "it starts without a kernel"
done
scopes() { systemctl list-units --all --no-legend --plain --type=scope 'machine-*'; }
only_one() { [ "$(scopes | grep -c .)" = 1 ]; }
until_true 4 "scopes to go: $(scopes)" only_one
for gone in "$longs" "$others" "$broken"; do allowed domain root "$gone" Undefine u 0; done

check "what a guest left in its scope is ended by the next daemon, when the guest ended without one"
before=$(scopes | cut -d ' ' -f 1)
leaving=$(define "$(plain leaving)")
allowed domain root "$leaving" Create u 0
scope=$(scopes | cut -d ' ' -f 1 | grep -vxF "$before")
systemctl stop virtbusd.service
kill -KILL "$(emulator leaving)"
until_true 20 "the guest's scope to go" only_one
systemd-run --quiet --scope --unit="$scope" --slice=machine.slice sleep 1000 < /dev/null > /dev/null 2>&1 &
left=$!
holds_two() { [ "$(scopes | grep -c running)" = 2 ]; }
until_true 20 "what is left to run" holds_two
in_state 5 "$leaving" "the guest that ended"
until_true 20 "what is left to be ended" only_one
wait "$left" && fail "it was not killed"
allowed domain root "$leaving" Undefine u 0

check "the daemon is restarted, the guest runs on"
systemctl restart virtbusd.service || fail "no restart"
[ "$(emulator shipped)" = "$pid" ] || fail "the guest is gone or another"
runs() { domain root "$guest" GetState u 0 | grep -q '^(ii) 1 '; }
until_true 50 "the guest to be known" runs

check "killed by an administrator, it comes back and the guest runs on"
before=$(unit MainPID)
replaced() { [ "$(unit MainPID)" != "$before" ] && active; }    # systemd hears of the end a moment later
systemctl kill -s KILL --kill-whom=main virtbusd.service
until_true 50 "the daemon to come back" replaced
[ "$(emulator shipped)" = "$pid" ] || fail "the guest is gone or another"

check "alice may not touch root's guest"
refused domain alice "$guest" Destroy u 0
[ "$(emulator shipped)" = "$pid" ] || fail "the guest is gone"

check "destroyed and undefined, nothing is left"
allowed domain root "$guest" Destroy u 0
allowed domain root "$guest" Undefine u 0
until_true 50 "the guest's process to go" no_emulator
left=$(systemctl list-units --all --no-legend --plain --type=scope | grep machine- || true)
[ -z "$left" ] || fail "scopes are left: $left"
left=$(systemctl --failed --no-legend --plain | grep -i virtbus || true)
[ -z "$left" ] || fail "units have failed: $left"

check "stopped when asked"
systemctl stop virtbusd.service || fail "no stop"
[ "$(unit Result)" = success ] || fail "it ended with $(unit Result)"
echo "all checks passed"
