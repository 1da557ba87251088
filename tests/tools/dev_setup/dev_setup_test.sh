#!/usr/bin/env bash
# Goal    `./dev setup` by somebody who may not install packages says which are missing and what to type.
# Method  a copy of dev and of its list of packages, with a dpkg-query and a sudo of our own in front of the
#         path; as another user if this one is root.
# usage: dev_setup_test.sh SOURCE_FOLDER
# shellcheck disable=SC2016,SC2317  # Single quotes are for inner shells; check calls functions.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/testing/check.sh
source "$here/../../testing/check.sh"
source_folder=$1
list=cmake/packaging/debian-packages.txt

work=$(mktemp -d)
trap 'find "$work" -xdev -delete' EXIT
mkdir -p "$work/tree/${list%/*}" "$work/bin"
cp "$source_folder/dev" "$work/tree/dev"
cp "$source_folder/$list" "$work/tree/$list"
mapfile -t packages < <(sed 's/#.*//' "$work/tree/$list" | tr -s ' \t' '\n' | grep .)
first=${packages[0]} last=${packages[-1]}

# Every package is installed but those of $work/missing. sudo is refused unless $work/allowed is there.
cat >"$work/bin/dpkg-query" <<END
#!/bin/sh
for package; do :; done
grep -qx -- "\$package" "$work/missing" && exit 1
echo installed
END
cat >"$work/bin/sudo" <<END
#!/bin/sh
test -e "$work/allowed" || exit 1
shift
test "\$*" = true || echo "as root: \$*"
END
printf '#!/bin/sh\necho "apt-get itself: $*"\nexit 7\n' >"$work/bin/apt-get"
chmod -R a+rX "$work"
chmod 0755 "$work"/bin/*

as_other=()
((EUID != 0)) || as_other=(setpriv --reuid=65534 --regid=65534 --clear-groups)
setup() { "${as_other[@]}" env PATH="$work/bin:$PATH" "$work/tree/dev" setup; }
# What it says must have these words and no others of the list.
names() { # REGEX
  local said
  said=$(setup 2>&1)
  [[ $said =~ $1 ]] || { echo "$said"; return 1; }
}

: >"$work/missing"
check "nothing is missing: nothing is done" setup
check_text 'every package is installed' "and it says so" setup

printf '%s\n%s\n' "$first" "$last" >"$work/missing"
check_code 1 "something is missing: that is a failure" setup
check "it says exactly what to type" names "(^|"$'\n'") *apt-get install ${first//+/\\+} ${last//+/\\+}"$'\n'
check "and who has to" names 'neither root nor allowed to use sudo'
check "it has not tried itself" bash -c '! grep -q "apt-get itself" <<<"$1"' _ "$(setup 2>&1)"
on_stderr() { [[ -z $(setup 2>/dev/null) ]]; }
check "all of it on standard error" on_stderr

touch "$work/allowed"
chmod a+r "$work/allowed"
check "with sudo it installs them" setup
check_text "as root: env DEBIAN_FRONTEND=noninteractive apt-get install .* ${first//+/\\+} ${last//+/\\+}" \
  "by apt-get, as root" setup
finish
