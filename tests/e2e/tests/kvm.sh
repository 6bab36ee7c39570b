# Guests under KVM as Debian has it, where /dev/kvm is for the group kvm only: run by tests/kvm.rs in a machine with a kernel of its own,
# as root, with the daemon's files laid out and nothing else done yet.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

says() { grep -q "$1" /var/log/virtbus/qemu/console/quick.log 2>/dev/null; }
no_emulator() { [ -z "$(emulator quick)" ]; }

check "the kernel has KVM, and the device has the mode that Debian gives it"
modprobe kvm_amd || modprobe kvm_intel || fail "this machine's processor has no virtualization"
udevadm settle
[ "$(stat -c '%U:%G %a' /dev/kvm)" = 'root:kvm 660' ] || fail "/dev/kvm is $(stat -c '%U:%G %a' /dev/kvm)"

check "what 'make install' asks for is done, and the first call starts the daemon"
systemd-sysusers || fail "no users"
systemd-tmpfiles --create virtbus.conf || fail "no directories"
systemctl daemon-reload
systemctl reload dbus
[ "$(guests root)" = 0 ] || fail "there are guests already"

check "a guest under KVM is defined and started"
document=$(bootable quick console=ttyS0 "<serial type='file'><source path='/var/log/virtbus/qemu/console/quick.log'/></serial>")
guest=$(define "${document/type=\'qemu\'/type=\'kvm\'}")
allowed domain root "$guest" Create u 0
until_true 150 "the guest" says 'TINY-GUEST READY'

check "it runs as virtbus-qemu, and under KVM"
pid=$(emulator quick)
[ "$(stat -c %U "/proc/$pid")" = virtbus-qemu ] || fail "the guest runs as $(stat -c %U "/proc/$pid")"
[ "$(sed -n 's/^Uid:[[:space:]]*//p' "/proc/$pid/status" | tr -s '\t' '\n' | sort -u)" = "$(id -u virtbus-qemu)" ] ||
    fail "the guest has other users too: $(grep ^Uid "/proc/$pid/status")"
for what in /dev/kvm anon_inode:kvm-vm anon_inode:kvm-vcpu:0; do
    readlink /proc/"$pid"/fd/* | grep -qx "$what" || fail "QEMU has no $what: $(readlink /proc/"$pid"/fd/* | sort -u)"
done
in_a_scope "$pid"
in_state 1 "$guest" "the guest"

check "it obeys, and ends when its power button is pressed"
allowed domain root "$guest" Suspend
in_state 3 "$guest" "the guest"
allowed domain root "$guest" Resume
until_true 150 "the guest's button" says 'TINY-GUEST MODULES-LOADED'
allowed domain root "$guest" Shutdown u 0
until_true 150 "the guest's process to go" no_emulator
is_off() { domain root "$guest" GetState u 0 | grep -q '^(ii) 5 '; }
until_true 50 "the guest to be known as off" is_off
allowed domain root "$guest" Undefine u 0

check "the refusal to users without rights to the device names it"
chgrp root /dev/kvm
systemctl restart virtbusd.service
answer=$(connect root DomainDefineXML s "$(plain barred kvm)") && fail "a guest under KVM is defined that cannot start"
case $answer in *"'/dev/kvm' (of user 'root' and group 0, mode 0660)"*) ;; *) fail "the reason is another: $answer";; esac
echo "all checks passed"
