# Who hears of what (T21), and whether a hidden guest can be told from one that is not there: run by threats/hidden.rs in a booted
# Debian with the daemon installed, as root.  A rule hides the guest "vault" from alice; bob may see every one.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"
node=/org/libvirt/Test    # the same for every driver: what is sent to whom is decided above them
absent_uuid=8c5a0c1e-1b1f-4a47-9d2b-2f4a3a6f0d11

users alice bob
check "root defines two guests, and a rule hides one from alice"
web=$(define "$(plain web test)") vault=$(define "$(plain vault test)")
vault_uuid=$(as root get-property org.libvirt "$vault" org.libvirt.Domain UUID | cut -d '"' -f 2)
rule 50-alice <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user != "alice" || action.id.indexOf("org.libvirt.api.domain.") != 0) return polkit.Result.NOT_HANDLED;
    return action.lookup("domain_name") == "vault" ? polkit.Result.NO : polkit.Result.YES;
});
RULE
hidden() { ! connect alice DomainLookupByName s vault; }
until_true 20 "the rule to hold" hidden
allowed connect bob DomainLookupByName s vault

check "whoever may not see a guest hears nothing of it, and all others do"
declare -A words
for user in alice bob; do
    mkfifo "/tmp/$user.ear"
    runuser -u "$user" -- virtbus-walk listen < "/tmp/$user.ear" > "/tmp/$user.heard" 2>&1 &
    words[$user]=$!
done
exec {alices}> /tmp/alice.ear {bobs}> /tmp/bob.ear
for user in alice bob; do
    until_true 20 "$user to listen" grep -q listening "/tmp/$user.heard"
done
for domain in "$vault" "$web"; do
    allowed domain root "$domain" Create u 0
    allowed domain root "$domain" Suspend
    allowed domain root "$domain" Resume
    allowed domain root "$domain" SetMetadata isssu 2 '<note/>' key note-namespace 1
    allowed domain root "$domain" SnapshotCreateXML su '<domainsnapshot><name>note</name></domainsnapshot>' 0
    allowed domain root "$domain" Destroy u 0
    allowed as root set-property org.libvirt "$domain" org.libvirt.Domain Autostart b true
done
exec {alices}>&- {bobs}>&-
wait "${words[alice]}" "${words[bob]}" || fail "somebody cannot listen: $(cat /tmp/alice.heard /tmp/bob.heard)"
for user in alice bob; do
    for member in DomainEvent PropertiesChanged InterfacesAdded MetadataChange; do
        grep " $member " "/tmp/$user.heard" | grep -q "${web##*/}" || fail "$user heard no $member: $(cat "/tmp/$user.heard")"
    done
done
grep -q "${vault##*/}" /tmp/bob.heard || fail "bob heard nothing of the other guest"
if grep -e "${vault##*/}" -e "$vault_uuid" -e vault /tmp/alice.heard; then fail "alice heard the above"; fi
# in the order in which it happened
order() { grep ' DomainEvent ' "$1" | grep "${web##*/}" | grep -o 'I32([0-9]*), I32([0-9]*)' | paste -sd ' '; }
[ "$(order /tmp/alice.heard)" = "$(order /tmp/bob.heard)" ] || fail "another order: $(order /tmp/alice.heard)"

check "a hidden guest is answered about as one that is not there"
same() {    # same WORD...: a call of alice's, with NAME, UUID and PATH standing for the guest's
    local answers=() name uuid path answer
    for name in vault nobody; do
        uuid=$vault_uuid
        [ "$name" = vault ] || uuid=$absent_uuid
        path=$node/domain/_${uuid//-/_}
        local call=("${@//NAME/$name}")
        call=("${call[@]//UUID/$uuid}")
        call=("${call[@]//PATH/$path}")
        answer=$(as alice call org.libvirt "${call[@]}") && fail "done: ${call[*]}"
        answer=${answer//$path/PATH}
        answer=${answer//$uuid/UUID}
        answers+=("${answer//$name/NAME}")
    done
    [ "${answers[0]}" = "${answers[1]}" ] || fail "$*: hidden: ${answers[0]}; absent: ${answers[1]}"
}
same $node org.libvirt.Connect DomainLookupByName s NAME
same $node org.libvirt.Connect DomainLookupByUUID s UUID
same PATH org.libvirt.Domain GetState u 0
same PATH org.libvirt.Domain GetXMLDesc u 0
same PATH org.libvirt.Domain Destroy u 0
same PATH org.libvirt.Domain SnapshotLookupByName su note 0
same PATH org.libvirt.Domain SnapshotLookupByName su nothing 0
# also by calls that are wrong in another way besides
same PATH org.libvirt.Domain Create s now
same PATH org.libvirt.Domain Explode
same PATH org.freedesktop.DBus.Properties Get ss org.libvirt.Domain Colour
same PATH org.freedesktop.DBus.Properties Get ss org.libvirt.Domain Name
same PATH org.freedesktop.DBus.Properties GetAll s org.libvirt.Domain
same PATH org.freedesktop.DBus.Introspectable Introspect

check "an error about a UUID that a hidden guest has does not name the guest"
document=$(plain mine test | sed "s,</name>,</name><uuid>$vault_uuid</uuid>,")
answer=$(connect alice DomainDefineXML s "$document") && fail "alice took its UUID"
case $answer in *vault*) fail "it is named: $answer";; esac
echo "all checks passed"
