# Every member of every interface, called by people of different rights: run by tests/polkit.rs in a booted Debian with
# the daemon and virtbus-walk installed, as root.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

walk() {    # walk USER COMMAND...: in the words of virtbus-walk
    local user=$1
    shift
    runuser -u "$user" -- virtbus-walk "$@" || fail "$user: virtbus-walk $*"
}
may() {    # may USER ACTION [DETAIL VALUE]: what polkit says
    local user=$1 action=$2
    shift 2
    runuser -u "$user" -- sh -c 'exec pkcheck --process $$ "$@"' sh --action-id "$action" "$@"
}
may_not() { ! may "$@"; }

users alice carol dave olga
check "everything that there can be is there"
walk root make
for name in web mail; do define "$(plain "$name")" > /dev/null; done
walk root list > /srv/all
walk root state > /srv/before
unchanged() {
    walk root state > /srv/after
    diff /srv/before /srv/after || fail "$1 has changed something"
}

check "an ordinary user may do what the policy gives anybody, and nothing else"
walk alice members /srv/all
unchanged alice

check "who may not even look is kept out"
rule 50-dave <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "dave" && action.id == "org.libvirt.unix.monitor") return polkit.Result.NO;
});
RULE
until_true 20 "the rule to hold" may_not dave org.libvirt.unix.monitor
walk dave members /srv/all -org.libvirt.unix.monitor
unchanged dave

check "two hundred clients call at the same moment"
walk alice crowd 200 5

check "a rule shows one domain, and nothing else"
rule 50-olga <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user != "olga" || action.id.indexOf("org.libvirt.api.") != 0) return polkit.Result.NOT_HANDLED;
    if (action.id.indexOf("org.libvirt.api.connect.") == 0) return polkit.Result.NOT_HANDLED;
    return action.lookup("domain_name") == "test" ? polkit.Result.YES : polkit.Result.NO;
});
RULE
until_true 20 "the rule to hold" may_not olga org.libvirt.api.network.getattr
of_test() { as root call org.libvirt /org/libvirt/Test org.libvirt.Connect "$@"; }
shown=$(path_in "$(of_test DomainLookupByName s test)")
walk olga one "$shown" /srv/all
unchanged olga

check "nothing is heard of what is hidden, and no value of what is shown"
other=$(path_in "$(of_test DomainLookupByName s other)")
coproc ear { walk olga listen; }
# shellcheck disable=SC2154 # set by coproc
read -r word <&"${ear[0]}" || fail "nobody listens"
[ "$word" = listening ] || fail "nobody listens: $word"
allowed domain root "$other" Create u 0
allowed domain root "$other" Suspend
allowed domain root "$other" SetMetadata isssu 2 '<secret/>' key secret-namespace 1
allowed domain root "$other" Destroy u 0
allowed domain root "$other" SnapshotCreateXML su '<domainsnapshot><name>secret-snapshot</name></domainsnapshot>' 0
allowed as root set-property org.libvirt "$other" org.libvirt.Domain Autostart b true
allowed of_test DomainDefineXML s "$(plain another-secret test)"
allowed domain root "$shown" Suspend
allowed domain root "$shown" Resume
allowed as root set-property org.libvirt "$shown" org.libvirt.Domain Autostart b true
allowed as root set-property org.libvirt "$shown" org.libvirt.Domain Autostart b false
exec {hears}<&"${ear[0]}" {silence}>&"${ear[1]}"
eval "exec ${ear[1]}>&-"
exec {silence}>&-
heard=$(cat <&"$hears")
for member in PropertiesChanged DomainEvent; do
    grep -q " $member " <<< "$heard" || fail "no $member was heard: $heard"
done
if grep -e secret -e "${other##*/}" -e '"other"' -e 'Bool(' <<< "$heard"; then fail "the above was heard"; fi
rm /etc/polkit-1/rules.d/50-olga.rules

check "rights over some classes of objects are rights over those"
rule 50-carol <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user != "carol") return polkit.Result.NOT_HANDLED;
    switch (action.id) {
        case "org.libvirt.api.network.write":
        case "org.libvirt.api.storage-pool.refresh":
        case "org.libvirt.api.domain.read-secure":
        case "org.libvirt.api.domain.suspend":
            return polkit.Result.YES;
        case "org.libvirt.api.node-device.getattr":
        case "org.libvirt.api.storage-vol.read":
        case "org.libvirt.api.connect.search-networks":
            return polkit.Result.NO;
    }
    return polkit.Result.NOT_HANDLED;
});
RULE
until_true 20 "the rule to hold" may carol org.libvirt.api.network.write
walk carol members /srv/all +org.libvirt.api.network.write +org.libvirt.api.storage-pool.refresh \
    +org.libvirt.api.domain.read-secure +org.libvirt.api.domain.suspend -org.libvirt.api.node-device.getattr \
    -org.libvirt.api.storage-vol.read -org.libvirt.api.connect.search-networks
rm /etc/polkit-1/rules.d/50-carol.rules

check "an ordinary user opens a page with a hundred domains"
for number in $(seq 98); do define "$(plain "page$number")" > /dev/null; done
walk alice page $node user
walk root page $node administrator
rule 50-alice <<'RULE'
polkit.addRule(function (action, subject) {
    if (action.lookup("domain_name") == "hidden") return polkit.Result.NO;
    if (subject.user == "alice" && action.id == "org.libvirt.api.domain.reset") return polkit.Result.YES;
});
RULE
until_true 20 "the rule to hold" may alice org.libvirt.api.domain.reset
check "the same where a rule tells guests apart"
sleep 1    # the daemon looks for new rules so often if nobody called meanwhile
walk alice page $node user
echo "all checks passed"
