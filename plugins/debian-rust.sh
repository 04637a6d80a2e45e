#!/bin/sh
# Fetches Debian's rustc with its wasm32-unknown-unknown library into FOLDER, unpacked and not installed, where rustup
# cannot add the target: debian-rust.sh FOLDER, then RUSTC=FOLDER/rustc LINKER=FOLDER/wasm-ld build-rust.sh ...
#
# Needs apt (any Debian or Ubuntu, amd64) and a network; takes 190 MB. The packages are those of Debian's unstable suite;
# plugins/built was made by its rustc 1.97.1.
set -eu
mkdir -p "$1/apt/state/lists/partial" "$1/apt/cache/archives/partial" "$1/apt/etc/preferences.d" "$1/apt/etc/apt.conf.d" "$1/debs"
folder=$(cd "$1" && pwd)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main" \
    >"$folder/apt/etc/sources.list"
cat >"$folder/apt/apt.conf" <<END
Dir::State "$folder/apt/state";
Dir::State::status "/dev/null";
Dir::Cache "$folder/apt/cache";
Dir::Etc "$folder/apt/etc";
Dir::Etc::sourcelist "$folder/apt/etc/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
END
export APT_CONFIG="$folder/apt/apt.conf"
apt-get -qq update
cd "$folder/debs"
std=$(apt-cache depends libstd-rust-dev | sed -n 's/.*Depends: \(libstd-rust-[0-9.]*\)$/\1/p')
llvm=$(apt-cache depends "$std" | sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p')
xml=$(apt-cache depends "$llvm" | sed -n 's/.*Depends: \(libxml2[-0-9]*\)$/\1/p')
apt-get -qq download rustc libstd-rust-dev libstd-rust-dev-wasm32 "$std" "$llvm" "$xml" \
    libc6 libgcc-s1 libstdc++6 zlib1g libzstd1 libedit2 libffi8 libtinfo6 libbsd0 libmd0 libz3-4
for package in *.deb; do dpkg -x "$package" "$folder/root"; done
cat >"$folder/rustc" <<END
#!/bin/sh
exec "$folder/root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$folder/root/usr/lib/x86_64-linux-gnu" \\
    "$folder/root/usr/bin/rustc" --sysroot "$folder/root/usr" "\$@"
END
chmod +x "$folder/rustc"
# Its own linker would be lld of the same LLVM; the one that rustup brings does as well.
ln -sf "$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld" "$folder/wasm-ld"
"$folder/rustc" --version
