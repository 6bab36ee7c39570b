# Virtual networks by the daemon as a distribution ships it: run by tests/system.rs in a booted Debian, as root.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

network() { local user=$1; shift; as "$user" call org.libvirt "$path" org.libvirt.Network "$@"; }
property() { as root get-property org.libvirt "$path" org.libvirt.Network "$1" | cut -d ' ' -f 2-; }
server() { pgrep -x dnsmasq | head -1; }
guest_answers() { busybox ping -c 1 -W 1 "$address"; }
leased() {
    address=$(domain root "$guest" InterfaceAddresses uu 0 0 | grep -o '192\.168\.[0-9.]*' | head -1)
    [ -n "$address" ]
}

users alice

check "a host has a network from the beginning, which is off"
answer=$(connect root NetworkLookupByName s default) || fail "there is none: $answer"
path=$(path_in "$answer")
[ "$(property Active)" = false ] || fail "it is on already"
refused network alice Create

check "a guest on it starts it, and is given an address"
guest=$(define "$(bootable plugged '' "<interface type='network'><source network='default'/><model type='virtio'/></interface>" | sed 's/ tiny.nodhcp//')")
allowed domain root "$guest" Create u 0
[ "$(property Active)" = true ] || fail "the network is off"
until_true 100 "an address" leased
until_true 20 "the guest to answer" guest_answers
[ "$(property Problems)" = 0 ] || fail "its packets do not pass: $(property Problems)"

check "its server does not run as root, and outlives the daemon with the network"
before=$(server)
[ "$(stat -c %U "/proc/$before")" != root ] || fail "dnsmasq runs as root"
systemctl restart virtbusd.service
[ "$(server)" = "$before" ] || fail "the server is another: $(server), and was $before"
guest_answers > /dev/null || fail "the guest is cut off"
killed=$(unit MainPID)
kill -KILL "$killed"
another() { active && [ "$(unit MainPID)" != "$killed" ]; }
until_true 20 "another daemon" another
[ "$(property Active)" = true ] || fail "the network is off"
[ "$(server)" = "$before" ] || fail "the server is another: $(server), and was $before"
guest_answers > /dev/null || fail "the guest is cut off"

check "a server that was ended is started again"
kill -KILL "$before"
until_true 20 "another server" server

check "rules that somebody flushed come back"
rules() { nft list ruleset | grep -q masquerade; }
rules || fail "there are no rules: $(nft list ruleset)"
nft flush ruleset
until_true 20 "the rules" rules

check "nothing is left of it"
allowed domain root "$guest" Destroy u 0
allowed network root Destroy
[ -z "$(server)" ] || fail "its server runs on"
rules && fail "it left rules"
[ "$(ip -br link | grep -cE 'virbr|vnet')" = 0 ] || fail "it left $(ip -br link)"

check "who undefines it does not get it again"
allowed network root Undefine
systemctl restart virtbusd.service
connect root NetworkLookupByName s default > /dev/null && fail "it is there again"

echo "all checks passed"
