# Begins the script of a Run that must not see the clone: in a mount namespace of its own, where nothing of CLONE but its
# environment can be read, the script starts again.
if [ -z "${CLONE_HIDDEN:-}" ]; then
  export CLONE_HIDDEN=1
  namespaces=(--mount)
  [ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user)
  exec unshare "${namespaces[@]}" bash "$0" "$@"
fi
for entry in "$CLONE"/* "$CLONE"/.[!.]*; do
  case $entry in
    */.venv) ;;
    *) if [ -d "$entry" ]; then mount -t tmpfs none "$entry"; else mount --bind /dev/null "$entry"; fi ;;
  esac
done
[ ! -e "$CLONE/kruntimes_core/model" ] || { echo "the clone can still be read" >&2; exit 99; }

