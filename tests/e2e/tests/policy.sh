# What the bus and polkit make of the installed policy, without the daemon: run by
# tests/polkit.rs in a booted Debian, as root.  The sample rules are installed as they stand.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

groupadd auditors
users alice lisa arthur
usermod -aG libvirt lisa
usermod -aG auditors arthur

# A process of each user for polkit to judge.
declare -A process
trap 'kill "${process[@]}" 2>/dev/null || true' EXIT
for user in alice lisa arthur; do
    setpriv --reuid "$user" --regid "$user" --init-groups sleep 600 &
    process[$user]=$!
done
# judge USER ACTION [DETAIL VALUE]...: prints yes, no or password
judge() {
    local user=$1 action=$2 status=0 details=()
    shift 2
    while [ $# -gt 0 ]; do details+=(--detail "$1" "$2"); shift 2; done
    pkcheck --action-id "org.libvirt.$action" --process "${process[$user]}" "${details[@]}" > /dev/null 2>&1 || status=$?
    case $status in 0) echo yes;; 1) echo no;; 2) echo password;; *) echo "status $status";; esac
}
expect() {    # expect ANSWER USER ACTION [DETAIL VALUE]...
    local wanted=$1 got
    shift
    got=$(judge "$@")
    [ "$got" = "$wanted" ] || fail "$*: $got, and not $wanted"
}

check "polkit takes every action and finds nothing to complain of"
actions=$(pkaction | grep -c '^org\.libvirt\.')
written=$(grep -c '<action id=' /usr/share/polkit-1/actions/org.libvirt.policy)
[ "$actions" = "$written" ] || fail "$actions of $written actions"
pkaction --verbose --action-id org.libvirt.api.domain.start | grep -q 'implicit any: *auth_admin_keep' || fail "another default"
complaints=$(journalctl --no-pager -u polkit.service | grep -i -E 'error|warning|libvirt' || true)
[ -z "$complaints" ] || fail "polkit says: $complaints"

check "only root may own the names"
own=(org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus RequestName su)
for name in org.libvirt org.virtbus; do
    as alice call "${own[@]}" "$name" 4 > /dev/null && fail "alice may own $name"
    [ "$(busctl call "${own[@]}" "$name" 4)" = 'u 1' ] || fail "root may not own $name"
done

check "by default, anybody looks and an administrator's password changes"
expect yes alice unix.monitor
expect yes alice api.domain.read connect_driver QEMU domain_name mail
expect password alice unix.manage
expect password alice api.domain.start connect_driver QEMU domain_name mail
expect password alice api.connect.write connect_driver QEMU

check "members of libvirt manage; the actions of single calls are left to their own rules"
expect yes lisa unix.manage
expect password lisa api.domain.start connect_driver QEMU domain_name mail

check "alice has one guest, and of that only what the rule names"
for verb in start stop init-control open-device; do
    expect yes alice "api.domain.$verb" connect_driver QEMU domain_name web
    expect password alice "api.domain.$verb" connect_driver QEMU domain_name mail
    expect password arthur "api.domain.$verb" connect_driver QEMU domain_name web
done
expect password alice api.domain.delete connect_driver QEMU domain_name web

check "the guest of the auditors is nobody else's"
for user in alice lisa; do
    for verb in getattr read start; do
        expect no "$user" "api.domain.$verb" connect_driver QEMU domain_name vault
    done
done
expect yes arthur api.domain.getattr connect_driver QEMU domain_name vault
expect password arthur api.domain.start connect_driver QEMU domain_name vault
echo "all checks passed"
