# What a network with address translation and DHCP takes, done by hand. Run by the benchmark in a network namespace.
ip -batch - <<'E'
link add name vb1 type bridge forward_delay 0 stp_state 1
address add 10.214.0.1/24 broadcast + dev vb1
link set dev vb1 up
E
nft -f - <<'E'
table ip byhand {
 chain out {
  ip saddr 10.214.0.0/24 iif vb1 counter accept
  iif vb1 counter reject
 }
 chain in {
  oif vb1 ip daddr 10.214.0.0/24 ct state related,established counter accept
  oif vb1 counter reject
 }
 chain cross {
  iif vb1 oif vb1 counter accept
 }
 chain forward {
  type filter hook forward priority 0; policy accept;
  counter jump cross
  counter jump in
  counter jump out
 }
 chain nat {
  type nat hook postrouting priority 100; policy accept;
  ip saddr 10.214.0.0/24 ip daddr 224.0.0.0/24 counter return
  ip saddr 10.214.0.0/24 ip daddr 255.255.255.255/32 counter return
  meta l4proto tcp ip saddr 10.214.0.0/24 ip daddr != 10.214.0.0/24 counter masquerade to :1024-65535
  meta l4proto udp ip saddr 10.214.0.0/24 ip daddr != 10.214.0.0/24 counter masquerade to :1024-65535
  ip saddr 10.214.0.0/24 ip daddr != 10.214.0.0/24 counter masquerade
 }
}
E
exec dnsmasq --conf-file=/dev/null --strict-order --except-interface=lo --bind-dynamic --interface=vb1 \
    --dhcp-range=10.214.0.10,10.214.0.99,255.255.255.0 --dhcp-leasefile=/run/vb1.leases --pid-file=/run/vb1.pid
