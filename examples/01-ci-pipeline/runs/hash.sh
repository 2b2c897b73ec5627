# Count and hash what arrived: one digest over the sorted list of "sha256  path".
set -euo pipefail
cat sources.tar.xz.* > sources.tar.xz
python -m tarfile -e sources.tar.xz tree
cd tree

find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- > ../list
count=$(wc -l < ../list)
digest=$(sha256sum < ../list | cut -d' ' -f1)

echo "$count files, $digest"
printf 'files=%s\ndigest=%s\n' "$count" "$digest" >> "$KRUNTIMES_OUTPUTS"
