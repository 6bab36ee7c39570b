# What somebody without rights can make the daemon do before it is known that he has none (T1): run by threats/unasked.rs in a booted
# Debian with the daemon installed, as root.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

users mallory alice
memory() { sed -n "s/^$1:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$(unit MainPID)/status"; }    # memory VmRSS|VmHWM: KiB

check "documents of a user without rights take little memory, and hold up nobody"
allowed as mallory call org.libvirt /org/libvirt/Test org.libvirt.Connect ListDomains u 0
refused as mallory call org.libvirt /org/libvirt/Test org.libvirt.Connect DomainDefineXML s '<domain/>'
until_true 20 "systemd to know that it runs" active
before=$(memory VmRSS)
nobody_waits_for() {    # nobody_waits_for COMMAND...: root reads all the time while it runs
    local word answer said silence
    coproc reads { virtbus-walk wait; }
    # shellcheck disable=SC2154 # set by coproc
    read -r word <&"${reads[0]}" || fail "nobody reads"
    [ "$word" = waiting ] || fail "nobody reads: $word"
    "$@" || fail "failed: $*"
    exec {said}<&"${reads[0]}" {silence}>&"${reads[1]}"
    eval "exec ${reads[1]}>&-"
    exec {silence}>&-
    answer=$(cat <&"$said")
    echo "$answer"
    case $answer in *' reads of the daemon: '*) ;; *) fail "somebody else had to wait: $answer";; esac
}
nobody_waits_for runuser -u mallory -- virtbus-walk flood 4 10 "${VIRTBUS_ROUNDS:-5}"
peak=$(memory VmHWM)
echo "  memory before $before, at most $peak, after $(memory VmRSS) KiB"
[ "$((peak - before))" -lt $((96 * 1024)) ] || fail "the documents took $((peak - before)) KiB"
check "answers that nobody reads or wants hold up nobody, and are nobody's when their client has left"
nobody_waits_for runuser -u mallory -- virtbus-walk silent 20000
for _ in 1 2 3; do runuser -u mallory -- virtbus-walk leave 40 120; done
allowed as alice call org.libvirt /org/libvirt/Test org.libvirt.Connect ListDomains u 0
allowed as mallory call org.libvirt /org/libvirt/Test org.libvirt.Connect ListDomains u 0
case $(as root call org.libvirt /org/libvirt/Test org.libvirt.Connect ListDomains u 0) in 'ao 1 '*) ;; *) fail "something was defined";; esac
echo "all checks passed"
