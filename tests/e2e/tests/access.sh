# Rules of the administrator hold however they are written, and one user's questions do not hold up another's: run by tests/polkit.rs
# in a booted Debian with the daemon installed, as root.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

users alice mallory
web=$(define "$(plain web)")
vault=$(define "$(plain vault)")
until_true 50 "systemd to know that it runs" active

# hidden PATH WHO: the guest must be answered as if it were not there
hidden() {
    local answer
    answer=$(domain "$2" "$1" GetState u 0) && return 1
    case $answer in *"Domain not found"*) return 0;; *) return 1;; esac
}
seen() { domain "$2" "$1" GetState u 0; }

check "a rule that refuses is heard, in whichever way it looks at the guest"
number=0
while IFS= read -r condition; do
    number=$((number + 1))
    seen "$vault" alice > /dev/null || fail "the guest is hidden already before rule $number"
    rule 50-hide <<RULE
function nameOf(it) { return it.lookup("domain_name"); }
polkit.addRule(function (action, subject) {
    if (subject.user == "alice" && ($condition)) {
        return polkit.Result.NO;
    }
});
RULE
    until_true 20 "rule $number to hold: $condition" hidden "$vault" alice
    # Not only until answers are asked for anew.
    sleep 0.3
    hidden "$vault" alice || fail "rule $number holds for a moment only"
    seen "$web" alice > /dev/null || fail "rule $number hides another guest"
    seen "$vault" mallory > /dev/null || fail "rule $number hides it from others"
    [ "$(guests alice)" = 1 ] || fail "alice's list under rule $number: $(guests alice)"
    rm /etc/polkit-1/rules.d/50-hide.rules
    until_true 20 "rule $number to be gone" seen "$vault" alice
done <<'CONDITIONS'
action.lookup("domain_name") == "vault"
("" + action).indexOf("domain_name='vault'") >= 0
action["look" + "up"]("domain_name") == "vault"
nameOf(action) == "vault"
[action].map(nameOf)[0] == "vault"
arguments[0].lookup("domain_name") == "vault"
CONDITIONS

check "a helper program that the rule asks is told of the guest"
cat > /usr/local/bin/may <<'HELPER'
#!/bin/sh
case $1 in *domain_name=\'vault\'*) exit 1;; esac
HELPER
chmod 755 /usr/local/bin/may
rule 50-helper <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "alice" && action.id.indexOf("org.libvirt.") == 0) {
        try { polkit.spawn(["/usr/local/bin/may", "" + action]); } catch (refused) { return polkit.Result.NO; }
    }
});
RULE
until_true 20 "the helper to be asked" hidden "$vault" alice
seen "$web" alice > /dev/null || fail "the helper hides another guest"
rm /etc/polkit-1/rules.d/50-helper.rules
until_true 20 "the helper's rule to be gone" seen "$vault" alice

check "a rule behind a link is heard of once polkit has read it"
mkdir /opt/rules
linked() { cat > /opt/rules/linked.rules; }
linked <<< 'polkit.addRule(function (action, subject) { return polkit.Result.NOT_HANDLED; });'
ln -s /opt/rules/linked.rules /etc/polkit-1/rules.d/50-linked.rules
systemctl restart polkit.service
until_true 20 "polkit to be back" seen "$vault" alice
linked <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "alice" && action.lookup("domain_name") == "vault") { return polkit.Result.NO; }
});
RULE
systemctl restart polkit.service
until_true 20 "the rule behind the link to hold" hidden "$vault" alice
seen "$web" alice > /dev/null || fail "the rule behind the link hides another guest"
rm -r /etc/polkit-1/rules.d/50-linked.rules /opt/rules
until_true 20 "the rule behind the link to be gone" seen "$vault" alice

check "a hundred callers of one user do not hold up another user"
rule 50-each <<'RULE'
polkit.addRule(function (action, subject) {
    if (action.lookup("domain_name") == "nobody-s") { return polkit.Result.NO; }
});
RULE
for number in $(seq 100); do define "$(plain "many-$number")" > /dev/null; done
(
    while true; do
        runuser -u mallory -- virtbus-walk crowd 20 5 $node > /dev/null 2>&1 || true
    done
) &
crowd=$!
trap 'kill $crowd 2> /dev/null || true; pkill -u mallory || true' EXIT
worst=0
for _ in $(seq 20); do
    begin=$(date +%s%N)
    answer=$(domain alice "$web" GetState u 0) || fail "alice gets no answer: $answer"
    took=$((($(date +%s%N) - begin) / 1000000))
    [ "$took" -le "$worst" ] || worst=$took
    sleep 0.1
done
kill $crowd; pkill -u mallory || true
trap - EXIT
echo "alice waited $worst ms at worst, her program's start included"
[ "$worst" -lt 5000 ] || fail "alice waited $worst ms"
rm /etc/polkit-1/rules.d/50-each.rules

check "wrong settings are an error at once, and not tried again and again"
systemctl stop virtbusd.service
cp /etc/virtbus/virtbusd.toml /srv/settings
echo 'idle_timeuot = 1' >> /etc/virtbus/virtbusd.toml
begin=$(date +%s)
answer=$(connect root ListDomains u 0) && fail "it runs with wrong settings"
[ $(($(date +%s) - begin)) -lt 20 ] || fail "the caller waited: $answer"
case $answer in *idle_timeuot*) ;; *) fail "the caller is not told the cause: $answer";; esac
[ "$(unit NRestarts)" = 0 ] || fail "it was restarted $(unit NRestarts) times"
journalctl --sync
journalctl -q --no-pager -u virtbusd.service --grep idle_timeuot | grep -q . || fail "the journal does not name the setting"
until_true 10 "it to have ended" systemctl is-failed virtbusd.service
systemctl reset-failed virtbusd.service || true

check "directories for memory must be root's, on the whole way to them"
mkdir -p /srv/open /srv/closed
chmod 1777 /srv/open
ln -s /srv/open /srv/led
for dir in /tmp /srv/open /srv/led/deeper /etc/passwd; do
    printf '[qemu]\nsave_dirs = ["/srv/closed", "%s"]\n' "$dir" > /etc/virtbus/virtbusd.toml
    answer=$(connect root ListDomains u 0) && fail "it runs with $dir"
    case $answer in *qemu.save_dirs*"'$dir'"*) ;; *) fail "$dir: the caller is not told the cause: $answer";; esac
    until_true 10 "it to have ended" systemctl is-failed virtbusd.service
    systemctl reset-failed virtbusd.service || true
done
printf '[qemu]\nsave_dirs = ["/srv/closed", "/srv/closed/later"]\n' > /etc/virtbus/virtbusd.toml
allowed connect root ListDomains u 0
systemctl stop virtbusd.service
cp /srv/settings /etc/virtbus/virtbusd.toml
allowed connect root ListDomains u 0

echo "all checks passed"
