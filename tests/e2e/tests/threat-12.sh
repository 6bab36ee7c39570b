# What the daemon does as root where a user can put links, FIFOs and other files in its way: run by threats/paths.rs in a booted
# Debian with the daemon installed, as root.  alice may start and stop one guest whose disk and console are in her directory.
# shellcheck shell=bash source-path=SCRIPTDIR source=prelude.sh
. "$(dirname "$0")/prelude.sh"

users alice bob
rule 50-alice <<'RULE'
polkit.addRule(function (action, subject) {
    if (subject.user == "alice" && action.lookup("domain_name") == "web" &&
        (action.id == "org.libvirt.api.domain.start" || action.id == "org.libvirt.api.domain.stop")) {
        return polkit.Result.YES;
    }
});
RULE
alice=/srv/alice
install -d -o alice -g alice "$alice"
install -d -o bob -g bob /srv/bob
echo precious > /etc/victim && chmod 600 /etc/victim
echo "bob's" > /srv/bob/disk && chown bob: /srv/bob/disk && chmod 600 /srv/bob/disk
mkdir -p /etc/cron.d

web=$(define "<domain type='qemu'><name>web</name><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$alice/disk.img'/><target dev='vda' bus='virtio'/></disk>
<serial type='file'><source path='$alice/console.log'/><log file='$alice/guest.log' append='off'/></serial></devices></domain>")
for number in $(seq 0 3); do
    sleepers[number]=$(define "<domain type='qemu'><name>fifo-$number</name><memory>65536</memory><os><type>hvm</type></os><devices>
<serial type='file'><source path='$alice/fifo'/></serial></devices></domain>")
done

outside() {    # all that is not alice's: names, owners, modes, sizes, contents of what matters
    find /etc /srv/bob /root /usr/local -xdev -printf '%p %u:%g %m %s %l\n' | sort
    cat /etc/victim /srv/bob/disk
}
fresh() {    # alice's files as they should be
    rm -rf "$alice"/*
    runuser -u alice -- sh -c "cd $alice && truncate -s 1M disk.img && touch console.log guest.log && chmod 666 console.log guest.log"
}
daemon=$(unit MainPID)
before=$(outside)
same() { diff <(echo "$before") <(outside) >&2 || fail "something outside has changed: $1"; }
start() { domain alice "$web" Create u 0; }
stop() { domain alice "$web" Destroy u 0 > /dev/null || true; }
# tried WHAT WORD: alice starts the guest; it must be refused with this word, soon, and change nothing outside
tried() {
    local answer begin=$SECONDS owner whose
    whose=$(stat -c %U "$alice/disk.img")
    if answer=$(start); then stop; same "$1"; fail "the guest starts with $1"; fi
    denied "$answer" && fail "alice may not start her guest: $answer"
    case $answer in *"$2"*) ;; *) fail "$1: another error: $answer";; esac
    [ $((SECONDS - begin)) -lt 20 ] || fail "$1 held the start up"
    same "$1"
    owner=$(stat -c %U "$alice/disk.img")    # of the link, if it is one; as it was before
    [ "$owner" = "$whose" ] || fail "$1: the disk is $owner's"
}

# A disk that was out of its place when it was to be given back is the guests' until it was used in peace.
in_peace() {
    local name
    for name in disk.img link other; do
        if [ -L "$alice/$name" ] || [ ! -e "$alice/$name" ]; then continue; fi
        mkdir "$alice/peace"
        mv "$alice/$name" "$alice/peace/file"
        if [ "$(stat -c %U "$alice/peace/file")" = virtbus-qemu ]; then
            [ ! -e "$alice/disk.img" ] || mv "$alice/disk.img" "$alice/peace/disk"
            mv "$alice/peace/file" "$alice/disk.img"
            allowed start && stop
            mv "$alice/disk.img" "$alice/peace/file"
            [ ! -e "$alice/peace/disk" ] || mv "$alice/peace/disk" "$alice/disk.img"
        fi
        [ "$(stat -c %U "$alice/peace/file")" = alice ] || fail "$name is $(stat -c %U "$alice/peace/file")'s"
        rm -r "$alice/peace"
    done
}

check "alice starts and stops her guest, and the disk is hers again"
fresh
started=0
let_in() { start > /dev/null && started=1; }
until_true 20 "the rule to hold" let_in
[ "$started" = 1 ]
[ "$(stat -c %U "$alice/disk.img")" = virtbus-qemu ] || fail "the disk was not given"
stop
[ "$(stat -c %U "$alice/disk.img")" = alice ] || fail "the disk is not hers again"
same "a plain start"

check "links in the place of consoles and logs lead nowhere"
for name in console.log guest.log; do
    for target in /etc/victim /etc/cron.d/evil /srv/bob/disk /srv/bob/new; do
        fresh
        runuser -u alice -- ln -sf "$target" "$alice/$name"
        tried "$name as a link to $target" "symbolic link"
    done
done

check "neither do hard links, whoever made them"
for name in console.log guest.log disk.img; do
    for target in /etc/victim /srv/bob/disk; do
        fresh
        ln -f "$target" "$alice/$name"
        before=$(outside)    # a file's status changes with its names
        tried "$name as a hard link to $target" "'$alice/$name'"
        rm "$alice/$name"
    done
done
before=$(outside)

check "FIFOs, directories and sockets are refused at once"
for name in console.log guest.log; do
    fresh
    rm "$alice/$name"
    runuser -u alice -- mkfifo -m 666 "$alice/$name"
    tried "$name as a FIFO" FIFO
    fresh
    rm "$alice/$name"
    runuser -u alice -- mkdir -m 777 "$alice/$name"
    tried "$name as a directory" directory
done

check "a file of root's stays root's, and its message names it"
fresh
chown root: "$alice/console.log" && chmod 600 "$alice/console.log"
tried "a console of root's" "'$alice/console.log' (of user 'root', mode 0600)"

check "links in the place of the disk are not followed"
for target in /etc/victim /srv/bob/disk /etc; do
    fresh
    rm "$alice/disk.img"
    runuser -u alice -- ln -s "$target" "$alice/disk.img"
    tried "the disk as a link to $target" "symbolic link"
done

check "nor while they are exchanged all the time"
fresh
runuser -u alice -- ln -s /etc/victim "$alice/link"
runuser -u alice -- truncate -s 1M "$alice/other"
cat > /usr/local/bin/exchange <<'PERL'
# renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), until it is ended
my ($a, $b) = map { "$_\0" } @ARGV;
syscall(316, -100, $a, -100, $b, 2) while 1;
PERL
before=$(outside)
for name in link other; do
    setpriv --reuid alice --regid alice --clear-groups perl /usr/local/bin/exchange "$alice/disk.img" "$alice/$name" &
    exchanging+=($!)
done
for round in $(seq 12); do
    if start > /dev/null; then stop; fi
    same "round $round of exchanging names"
done
for process in "${exchanging[@]}"; do kill "$process" 2> /dev/null || true; wait "$process" 2> /dev/null || true; done
in_peace
same "an end of the exchange"

check "what QEMU opens is what was looked at, with the rights of all guests"
install -m 600 -o virtbus-qemu -g virtbus-qemu /dev/null /srv/bob/guests.img
echo "another guest's" > /srv/bob/guests.img
before=$(outside)
fresh
runuser -u alice -- ln -s /srv/bob/guests.img "$alice/link"
led_astray() { readlink /proc/"$(emulator web)"/fd/* | grep guests.img; }
setpriv --reuid alice --regid alice --clear-groups perl /usr/local/bin/exchange "$alice/disk.img" "$alice/link" &
leading=$!
for round in $(seq 20); do
    if answer=$(start); then
        if led_astray; then fail "alice's guest has another guest's file in round $round"; fi
        stop
    else
        case $answer in *"has '/srv/bob/guests.img' open"*) fail "QEMU was led to another guest's file in round $round";; esac
    fi
done
kill "$leading"; wait "$leading" || true
same "another guest's file"
in_peace

check "a guest goes on with its own disk after its memory was written, whatever has the disk's name by then"
fresh
allowed start
runuser -u alice -- sh -c "cd $alice && mv disk.img other && ln -s /srv/bob/guests.img disk.img"
allowed domain root "$web" CoreDump suu /var/lib/virtbus/qemu/memory/web.core 0 0
in_state 1 "$web" web
if led_astray; then fail "a dump made alice's guest go on with another guest's file"; fi
readlink /proc/"$(emulator web)"/fd/* | grep -qx "$alice/other" || fail "the guest has lost its disk"
rm /var/lib/virtbus/qemu/memory/web.core
mv "$alice/other" "$alice/disk.img"
stop
[ "$(stat -c %U "$alice/disk.img")" = alice ] || fail "the disk is not hers again"
same "a dump while names are exchanged"

check "and with it after its state was taken in, while somebody waits for QEMU to open it and puts another into its place"
cat > /usr/local/bin/once-opened <<'PERL'
# Waits until disk.img is open (IN_OPEN) and nobody opens it for 20 ms, exchanges it with link, and back after 2 s.
alarm 60;
chdir $ARGV[0];
my ($disk, $link) = ("disk.img\0", "link\0");
my $watch = syscall(253);
syscall(254, $watch, $disk, 0x20);
open(my $events, "<&=", $watch);
print STDERR "watching\n";
my ($told, $ready) = ("", "");
vec($ready, $watch, 1) = 1;
do { sysread($events, $told, 4096) } while select(my $now = $ready, undef, undef, 0.02);
syscall(316, -100, $disk, -100, $link, 2);
print STDERR "exchanged\n";
sleep 2;
syscall(316, -100, $disk, -100, $link, 2);
PERL
before=$(outside)
for round in $(seq 3); do
    fresh
    runuser -u alice -- ln -s /srv/bob/guests.img "$alice/link"
    allowed start
    allowed domain root "$web" ManagedSave u 0
    setpriv --reuid alice --regid alice --clear-groups perl /usr/local/bin/once-opened "$alice" 2> /run/once-opened &
    waiting=$!
    until_true 10 "the watch" grep -q watching /run/once-opened
    allowed start
    in_state 1 "$web" web
    if led_astray; then fail "alice's guest goes on with another guest's file in round $round"; fi
    readlink /proc/"$(emulator web)"/fd/* | grep -qEx "$alice/(disk.img|link)" || fail "the guest has no disk"
    wait "$waiting"
    grep -q exchanged /run/once-opened || fail "nothing was exchanged in round $round"
    stop
    [ "$(stat -c %U "$alice/disk.img")" = alice ] || fail "the disk is not hers again"
    same "another guest's file, round $round of taking a state in"
done
rm /srv/bob/guests.img
before=$(outside)

check "an image may name its backing file relative to its own folder, and that is not given away"
mkdir -p /srv/layers && chmod 711 /srv/layers
truncate -s 1M /srv/layers/base.img
(cd /srv/layers && qemu-img create -q -f qcow2 -b base.img -F raw top.qcow2)
layered=$(define "<domain type='qemu'><name>layered</name><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/srv/layers/top.qcow2'/><target dev='vda' bus='virtio'/></disk>
</devices></domain>")
allowed domain root "$layered" Create u 0
readlink /proc/"$(emulator layered)"/fd/* | grep -qx /srv/layers/base.img || fail "the backing file is not open"
[ "$(stat -c %U /srv/layers/base.img)" = root ] || fail "the backing file was given to the guest"
allowed domain root "$layered" Destroy u 0
chmod 600 /srv/layers/base.img
if answer=$(domain root "$layered" Create u 0); then fail "a file that guests may not read is a backing file"; fi
case $answer in *base.img*) ;; *) fail "another error: $answer";; esac
for name in 'json:{"driver":"raw","file":{"driver":"vvfat","dir":"/srv/alice"}}' fat:/srv/alice 'nbd+unix:///?socket=/srv/sock'; do
    rm -f /srv/layers/top.qcow2
    qemu-img create -q -u -f qcow2 -F raw -b "$name" /srv/layers/top.qcow2 1M
    if answer=$(domain root "$layered" Create u 0); then fail "QEMU went where an image led it: $name"; fi
    case $answer in *"not a plain file name"*) ;; *) fail "another error: $answer";; esac
done
# A layer whose format is not told is not taken for what its content looks like (T19).
chmod 644 /srv/layers/base.img
rm -f /srv/layers/top.qcow2
qemu-img create -q -u -f qcow2 -F raw -b base.img /srv/layers/top.qcow2 1M
perl -0777 -pi -e 's/\xe2\x79\x2a\xca/\xe2\x79\x2a\x00/' /srv/layers/top.qcow2
if answer=$(domain root "$layered" Create u 0); then fail "the format of a backing file was guessed"; fi
case $answer in *base.img*"not its format"*) ;; *) fail "another error: $answer";; esac
# A home that lets guests through shows them, and nobody else, what everybody may read there.
install -d -o bob -g virtbus-qemu -m 710 /srv/bob/home
echo "bob's" > /srv/bob/home/disk.img && chown bob: /srv/bob/home/disk.img && chmod 644 /srv/bob/home/disk.img
rm -f /srv/layers/top.qcow2
qemu-img create -q -u -f qcow2 -F raw -b /srv/bob/home/disk.img /srv/layers/top.qcow2 1M
if answer=$(domain root "$layered" Create u 0); then fail "a guest reads what its image's owner cannot reach"; fi
case $answer in *"<backingStore>"*) ;; *) fail "another error: $answer";; esac
rm -r /srv/bob/home
before=$(outside)

check "a saved guest that somebody else than the daemon wrote is not gone on from"
saved=$(define "$(plain saved)")
allowed domain root "$saved" Create u 0
allowed domain root "$saved" ManagedSave u 0
image=$(find /var/lib/virtbus -name saved.save)
# What QEMU could write if it had the file: the text, where it is, and its sum, which are all that is there but the seal.
seal=$((16 + 4 * 14))
dd if=/dev/zero of="$image" bs=1 seek="$seal" count=16 conv=notrunc status=none
if answer=$(domain root "$saved" Create u 0); then fail "a managed save without its seal was restored"; fi
case $answer in *"was changed since"*) ;; *) fail "another error: $answer";; esac
cp "$image" "$alice/foreign" && chown alice: "$alice/foreign"
if answer=$(connect root DomainRestore ssu "$alice/foreign" "" 0); then fail "alice's image was restored"; fi
case $answer in *"was changed since"*) ;; *) fail "another error: $answer";; esac
# Root vouches for what is root's alone.
mkdir -p /srv/images && cp "$image" /srv/images/foreign
allowed domain root "$saved" ManagedSaveRemove u 0
allowed connect root DomainRestore ssu /srv/images/foreign "" 0
in_state 1 "$saved" "the restored guest"
allowed domain root "$saved" Destroy u 0
allowed domain root "$saved" Undefine u 0
rm -r /srv/images "$alice/foreign"
before=$(outside)

check "no thread stays behind for files that do not open"
mkfifo -m 666 "$alice/fifo"
for _ in $(seq 10); do
    for sleeper in "${sleepers[@]}"; do
        if answer=$(domain root "$sleeper" Create u 0); then fail "a FIFO is a console"; fi
        case $answer in *FIFO*) ;; *) fail "another error: $answer";; esac
    done
done
[ "$(cat /proc/"$daemon"/task/*/comm | grep -c acting)" = 0 ] || fail "threads are left"

check "nothing of others is alice's or the guests'"
found=$(find / -xdev -user alice ! -path "$alice*" ! -path '/home/alice*' ! -path '/var/mail/*' ! -path '/proc/*' ! -path '/tmp/*' 2> /dev/null || true)
[ -z "$found" ] || fail "alice has: $found"
found=$(find /etc /srv /root /home /usr -xdev -user virtbus-qemu 2> /dev/null || true)
[ -z "$found" ] || fail "guests have: $found"
[ "$(unit MainPID)" = "$daemon" ] || fail "the daemon is another"
[ "$(domain root "$web" GetState u 0 | cut -d ' ' -f 2)" = 5 ] || fail "the guest is not off"

check "folders of guests are nobody's business"
for dir in /run/virtbus/qemu /var/log/virtbus/qemu /etc/virtbus/qemu; do
    [ ! -d "$dir" ] || ! runuser -u alice -- ls "$dir" > /dev/null 2>&1 || fail "alice lists $dir"
done

echo "all checks passed"
