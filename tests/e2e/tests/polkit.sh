# Who may call what: run by tests/polkit.rs in a booted Debian with the daemon installed, as
# root.  alice and mallory are ordinary users, bob is an administrator with a password.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

absent() {    # absent COMMAND...: must be answered as if there were no such guest
    local answer
    answer=$("$@") && fail "found: $*"
    case $answer in *"Domain not found"*) ;; *) fail "$*: not as if it were not there: $answer";; esac
}

users alice mallory bob
echo 'bob:open sesame' | chpasswd
usermod -aG sudo bob

check "the first call starts the daemon"
inactive || fail "it runs before anybody called"
[ "$(connect root ListDomains u 0)" = 'ao 0' ] || fail "there are guests already"
until_true 50 "systemd to know that it runs" active    # the name comes first

check "root defines three guests"
declare -A path
for name in web mail vault; do
    path[$name]=$(define "$(bootable "$name")")
done

check "anybody may look"
[ "$(guests alice)" = 3 ] || fail "alice sees others: $(connect alice ListDomains u 0)"
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
    local xml
    xml=$(plain bobs)
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
[ "$(guests root)" = 3 ] || fail "bob's guest is there"
bob_defines 'open sesame' || fail "the password is refused: $said"
case $said in *org.libvirt.unix.manage*) ;; *) fail "bob was asked about something else: $said";; esac
[ "$(guests root)" = 4 ] || fail "bob's guest is not there"
bobs=$(path_in "$(connect root DomainLookupByName s bobs)")
allowed domain root "$bobs" Undefine u 0

check "a rule lets alice start and stop one guest, and nothing else"
rule 50-alice <<'RULE'
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
in_state 1 "${path[web]}" "alice's guest"
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
pid=$(emulator web) daemon=$(unit MainPID)
[ -n "$pid" ] || fail "no emulator"
systemctl kill -s KILL --kill-whom=main virtbusd.service
until_true 10 "the daemon to end" test ! -e "/proc/$daemon"
in_state 1 "${path[web]}" "the guest"
[ "$(unit MainPID)" != "$daemon" ] || fail "it is the same daemon"
[ "$(emulator web)" = "$pid" ] || fail "the guest is another"
in_a_scope "$pid"

check "a rule that wants a password for one guest is obeyed, also of whom else everything is granted to"
rule 51-password <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user != "mallory" || action.lookup("domain_name") != "vault") return polkit.Result.NOT_HANDLED;
    switch (action.id) {
    case "org.libvirt.api.domain.start": return polkit.Result.AUTH_ADMIN_KEEP;
    case "org.libvirt.api.domain.stop": return polkit.Result.AUTH_SELF_KEEP;
    case "org.libvirt.api.domain.suspend": return polkit.Result.AUTH_ADMIN;
    case "org.libvirt.api.domain.reset": return polkit.Result.AUTH_SELF;
    case "org.libvirt.api.domain.read": return polkit.Result.AUTH_ADMIN_KEEP;
    }
});
RULE
rule 60-manage <<'RULE'
polkit.addRule(function (action, subject) {
    if (action.id == "org.libvirt.unix.manage" && subject.user == "mallory") return polkit.Result.YES;
});
RULE
let_manage() { domain mallory "${path[mail]}" Create u 0; }
until_true 20 "mallory to manage guests" let_manage
for act in 'Create u 0' 'Destroy u 0' 'Suspend' 'Reset u 0' 'GetXMLDesc u 0'; do
    # shellcheck disable=SC2086
    refused domain mallory "${path[vault]}" $act
done
in_state 5 "${path[vault]}" "the guest for which a password is wanted"
allowed domain mallory "${path[mail]}" Suspend
for value in true false; do    # the rule says nothing of it
    allowed as mallory set-property org.libvirt "${path[vault]}" org.libvirt.Domain Autostart b $value
done
# Where the last rule is not asked last, it cannot be known what is a rule's: then everybody is asked.
echo '// nothing' > /etc/polkit-1/rules.d/zzzz.rules
kept_out() { local answer; answer=$(domain mallory "${path[mail]}" Resume) && return 1; denied "$answer"; }
until_true 20 "the later rule to be seen" kept_out
rm /etc/polkit-1/rules.d/zzzz.rules
let_stop() { domain mallory "${path[mail]}" Destroy u 0; }
until_true 20 "the later rule to be gone" let_stop
rm /etc/polkit-1/rules.d/51-password.rules /etc/polkit-1/rules.d/60-manage.rules
shut_out() { local answer; answer=$(domain mallory "${path[mail]}" Create u 0) && return 1; denied "$answer"; }
until_true 20 "mallory's rules to be gone" shut_out

check "a guest that a rule hides is nowhere to be seen, and back when the rule is gone"
rule 51-vault <<'RULE'
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

impossible() {    # impossible COMMAND...: must fail, whoever asks
    local answer
    answer=$("$@") && fail "done: $*"
    if denied "$answer"; then fail "$*: refused for want of the caller's rights: $answer"; fi
}

check "memory is written only where guests may write, or below the directory for it; root's where root may"
kept=/var/lib/virtbus/qemu/memory
rule 51-memory <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "mallory" && action.lookup("domain_name") == "web" &&
        (action.id == "org.libvirt.api.domain.hibernate" || action.id == "org.libvirt.api.domain.core-dump")) {
        return polkit.Result.YES;
    }
});
RULE
printf precious > /srv/victim
ln -s /srv/victim "$kept/link"
install -d -o virtbus-qemu -g virtbus-qemu /srv/guests
ln -s /srv/victim /srv/guests/link
printf precious > /srv/guests/roots
install -o virtbus-qemu -m 600 /dev/null /srv/guests/others
let_dump() { domain mallory "${path[web]}" CoreDump suu "$kept/first" 0 16; }
until_true 20 "mallory's rule to hold" let_dump
for to in /srv/victim /srv/new /srv/guests/link /srv/guests/roots /srv/guests/others "$kept/link" "$kept/../../../../../srv/victim" "$kept/../new" \
    /run/virtbus/qemu/new /var/log/virtbus/qemu/console/new /var/lib/virtbus/qemu/swtpm/new /var/new; do
    impossible domain mallory "${path[web]}" Save ssu "$to" "" 0
    impossible domain mallory "${path[web]}" CoreDump suu "$to" 0 16
done
refused domain mallory "${path[web]}" Save ssu "$kept/other.save" "$(plain web)" 0    # another definition is a change of the guest
[ "$(cat /srv/victim /srv/guests/roots /srv/guests/others)" = preciousprecious ] || fail "a file of others was written to"
left=$(find /srv "$kept" "$kept/.." /run/virtbus /var/log/virtbus -maxdepth 3 \( -name '*new*' -o -name '*.part' \))
[ -z "$left" ] && [ ! -e /var/new ] || fail "files were made where guests may not make any: $left"
for to in /srv/guests/core "$kept/core"; do allowed domain mallory "${path[web]}" CoreDump suu "$to" 0 16; done
for to in /srv/guests/core "$kept/core"; do impossible domain mallory "${path[web]}" CoreDump suu "$to" 0 16; done
allowed domain root "${path[web]}" CoreDump suu /var/core 0 16
owners=$(stat -c '%U %a' /srv/guests/core "$kept/core" /var/core | xargs)
[ "$owners" = "virtbus-qemu 600 root 600 root 600" ] || fail "owners and modes of dumps: $owners"
in_state 1 "${path[web]}" "the guest"
rm -r /srv/guests /srv/victim "$kept/link" "$kept/core" "$kept/first" /var/core /etc/polkit-1/rules.d/51-memory.rules

check "a saved guest is as forbidden as the guest"
for name in web vault; do
    [ "$name" = web ] || allowed domain root "${path[$name]}" Create u 0
    allowed domain root "${path[$name]}" Save ssu "$kept/$name.save" "" 0
done
allowed connect root DomainRestore ssu "$kept/web.save" "" 0
allowed domain root "${path[web]}" Save ssu "$kept/web.save" "" 0
rule 52-images <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "alice" && action.id.indexOf("org.libvirt.api.domain.") == 0) {
        return action.lookup("domain_name") == "vault" ? polkit.Result.NO : polkit.Result.YES;
    }
});
RULE
restored() { connect alice DomainRestore ssu "$kept/$1.save" "" 0 > /dev/null; }
until_true 20 "the rule to hold" restored web
in_state 1 "${path[web]}" "the guest"
absent connect alice DomainRestore ssu "$kept/vault.save" "" 0
absent connect alice DomainSaveImageGetXMLDesc su "$kept/vault.save" 0
refused connect mallory DomainRestore ssu "$kept/vault.save" "" 0
in_state 5 "${path[vault]}" "the guest"
rm /etc/polkit-1/rules.d/52-images.rules "$kept"/*.save

check "rights to guests are no rights to files, on any driver"
rule 53-images <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "mallory" && (action.id == "org.libvirt.api.domain.hibernate" || action.id == "org.libvirt.api.domain.core-dump" || action.id == "org.libvirt.api.domain.write")) {
        return polkit.Result.YES;
    }
});
RULE
for method in "Save ssu" "CoreDump suu"; do
    # shellcheck disable=SC2086 # two words
    set -- $method
    last='""'
    [ "$1" = Save ] || last=0
    refused domain mallory "$(path_in "$(as root call org.libvirt /org/libvirt/Test org.libvirt.Connect DomainLookupByName s test)")" "$1" "$2" /made-by-root "${last//\"/}" 0
    [ ! -e /made-by-root ] || fail "$1 made a file of root's"
done
refused as mallory call org.libvirt /org/libvirt/Test org.libvirt.Connect DomainSaveImageGetXMLDesc su /etc/shadow 0
rm /etc/polkit-1/rules.d/53-images.rules

check "idle with a guest, the daemon stays; idle without, it ends, and is back when called"
echo 'VIRTBUSD_ARGS=--idle-timeout 1' > /etc/default/virtbusd
systemctl restart virtbusd.service
sleep 4    # four times what it waits for
active || fail "it ended and left its guest alone"
allowed domain alice "${path[web]}" Destroy u 0
until_true 20 "the daemon to end" inactive
[ "$(unit Result)" = success ] || fail "it ended with $(unit Result)"
[ "$(guests alice)" = 3 ] || fail "the guests are gone"
until_true 50 "systemd to know that it runs again" active

check "the test driver is served only where somebody asks for it"
answer=$(as root call org.libvirt /org/libvirt/Test org.libvirt.Connect ListDomains u 0) && fail "it is served: $answer"
allowed as root call org.libvirt /org/libvirt org.libvirt.Manager OpenConnection 'sa{sv}' test:///default 0
allowed as root call org.libvirt /org/libvirt/Test1 org.libvirt.Connect ListDomains u 0
echo "all checks passed"
