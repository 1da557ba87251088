#!/usr/bin/env bash
# Goal    what is installed works without the source and the build tree, wherever it is moved.
# Method  install, move, then build the consumer by find_package and by pkg-config, and run it.
# usage: install_test.sh CMAKE BUILD_FOLDER CXX LIBDIR
# shellcheck disable=SC2317  # check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../testing/check.sh"
cmake=$1 build=$2 cxx=$3 libdir=$4

work=$(mktemp -d)
trap 'find "$work" -xdev -delete' EXIT
moved=$work/moved

from_elsewhere() { (cd "$work" && "$@"); }

installs() { "$cmake" --install "$build" --prefix "$work/first" && mv "$work/first" "$moved"; }
check "the build tree installs" installs

# --- libkrg --------------------------------------------------------------------------------------

cmake_consumer() {
  "$cmake" -S "$here/consumer" -B "$work/by_cmake" -DCMAKE_PREFIX_PATH="$moved" \
    -DCMAKE_CXX_COMPILER="$cxx" && "$cmake" --build "$work/by_cmake"
}
check "a consumer builds by find_package" cmake_consumer
check_text '^42 0$' "and runs" env KRG_LOG_LEVEL=off "$work/by_cmake/consumer"
check_text "$moved/$libdir/libkrg.so.0" "it loads the installed library by its soname" \
  ldd "$work/by_cmake/consumer"

export PKG_CONFIG_PATH=$moved/$libdir/pkgconfig
# The flags are words, so they are not quoted.
# shellcheck disable=SC2046
pkg_config_consumer() {
  from_elsewhere "$cxx" -std=c++20 "$here/consumer/main.cpp" -o by_pkg_config \
    $(pkg-config --cflags --libs krg) -Wl,-rpath,"$moved/$libdir"
}
check "a consumer builds by pkg-config" pkg_config_consumer
check_text '^42 0$' "and runs" "$work/by_pkg_config"

# shellcheck disable=SC2046
static_consumer() {
  from_elsewhere "$cxx" -std=c++20 "$here/consumer/main.cpp" -o static $(pkg-config --cflags krg) \
    "$moved/$libdir/libkrg.a" $(pkg-config --static --libs krg | sed 's/-lkrg//')
}
check "a consumer builds with the static library" static_consumer
check_text '^42 0$' "and runs" "$work/static"

version=$(pkg-config --modversion krg)
check_text '^[0-9]+\.[0-9]+\.[0-9]+$' "pkg-config tells the version" echo "$version"
refuses_newer() { ! pkg-config --exists 'krg >= 99'; }
check "a version that is not there is refused" refuses_newer

every_header_compiles() {
  local header
  (cd "$moved/include" && find krg -name '*.h' -printf '#include "%p"\n') >"$work/all.cpp"
  for header in base/ids error/result log/log reactor/reactor; do
    grep -q "krg/$header.h" "$work/all.cpp" || return 1
  done
  # shellcheck disable=SC2046
  "$cxx" -std=c++20 -fsyntax-only "$work/all.cpp" $(pkg-config --cflags krg)
}
check "every installed header compiles with what is installed" every_header_compiles

# --- commands and documents ----------------------------------------------------------------------

commands=()
for command in "$build"/bin/*; do
  [[ ! -f $command || ! -x $command ]] || commands+=("${command##*/}")
done
for command in "${commands[@]}"; do
  check_text "^$command " "$command tells its version" from_elsewhere "$moved/bin/$command" --version
done
for page in "$build"/docs/man/*.[1-9]; do
  [[ ! -e $page ]] || check "the manual page ${page##*/} is installed" \
    test -s "$moved/share/man/man${page##*.}/${page##*/}"
done

# --- a job with what was installed, where it is now ----------------------------------------------

# Where no other cluster of this user is, and with nothing of the build tree in reach.
installed_run() {
  mkdir -p "$work/run" && chmod 0700 "$work/run"
  from_elsewhere env -u LD_LIBRARY_PATH XDG_RUNTIME_DIR="$work/run" KRG_LOG_LEVEL=info \
    KRG_LOG_FILE="$work/log.%p" timeout 60 "$moved/bin/krgrun" --oversubscribe "$@" </dev/null
}
two_hosts() {
  local said
  said=$(installed_run --nodes 2 -n 2 hostname) || return 1
  [[ $said == "$(hostname)"$'\n'"$(hostname)" ]] || { echo "$said"; return 1; }
}
check "the installed krgrun runs a job on two nodes" two_hosts
for plugin in "$build"/lib/krg/*.so; do
  [[ ! -e $plugin ]] || check "the plug-in ${plugin##*/} is installed" \
    test -s "$moved/$libdir/krg/${plugin##*/}"
done
needs_plugins() { ! (rm -rf "$work/bare" && cp -a "$moved" "$work/bare" && rm -rf "$work/bare/$libdir/krg" &&
  moved=$work/bare installed_run --nodes 2 -n 2 hostname); }
check "which needs its plug-ins from beside it" needs_plugins

completion=$moved/share/bash-completion/completions
offers() { # COMMAND WORDS... : completing the last word of the line offers it and names options
  local command=$1 option
  bash --norc -c 'source "$1" && complete -p "$2"' _ "$completion/$command" "$command" || return 1
  for option in $("$moved/bin/$command" --help | grep -oE '(^|[ ,])--[a-z][a-z-]+' | tr -d ' ,' | sort -u); do
    grep -q -e "$option" "$completion/$command" || { echo "$option is not offered"; return 1; }
  done
}
for command in krgrun krgadm krgmigrate; do
  check "the completion of $command is installed and names its options" offers "$command"
done

names_build_tree() { ! grep -rIl -e "$build" -e "$here" "$moved"; }
check "no installed text names the build or source tree" names_build_tree
finish
