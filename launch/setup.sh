#!/usr/bin/env bash
# Sets up everything the other launch commands need: Debian packages, .venv, gfootball.
#
#   ./launch/setup.sh            whatever is missing; nothing when all is there
#   ./launch/setup.sh --force    .venv from scratch
#   ./launch/setup.sh --extras=gymnasium,atari,mujoco,cluster
#                                also what environments other than football need, and several
#                                machines (Ray)
#
# .venv/hts_tf-stamp holds the fingerprint of all that determines the set-up, when that is complete:
#   none              the set-up never finished: .venv is made anew
#   another stamp     setup.py, the processor, ... changed, or that has not finished: .venv is updated
#                     in place
#   the right stamp   nothing to do
# Its further lines are the extras that were installed: they stay, and others are only added.
# The gfootball wheel takes minutes to build, so it is kept in the user's cache for other clones.
set -euo pipefail

script=$(readlink -f -- "${BASH_SOURCE[0]}")
root=${script%/launch/*}
known_extras=(gymnasium atari mujoco box2d pettingzoo cluster sweep onnx trackers docs)
venv=$root/.venv
stamp=$venv/hts_tf-stamp
football=hts_tf/environments/football
patch=$root/$football/engine.patch
cache=${XDG_CACHE_HOME:-${HOME:-~}/.cache}/hts_tf  # services may have no HOME
# shellcheck source=hts_tf/environments/football/engine_build.env
source "$root/$football/engine_build.env"

say() { printf '[set-up] %s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# find_python USR: prints the distribution's interpreter that has a Boost.Python and headers.
# The one on PATH will not do: Boost.Python fits only the interpreter it was compiled for.
find_python() {
  local usr=$1 library minor python found=
  for library in "$usr"/lib/*/libboost_python3*.so "$usr"/lib/libboost_python3*.so; do
    minor=${library##*/libboost_python3}
    minor=${minor%.so}
    python=$usr/bin/python3.$minor
    [[ $minor =~ ^[0-9]+$ && $minor -ge 10 ]] || continue
    [[ -x $python && -e $usr/include/python3.$minor/Python.h ]] || continue
    found=$python
    [[ $python -ef $usr/bin/python3 ]] && break  # the default one, which python3-venv serves
  done
  [[ $found ]] && printf '%s\n' "$found"
}

# processor: what -march=native depends on, of the first core.
processor() {
  sed -nE '/^$/q; /^(model name|flags|Features|CPU (implementer|variant|part))/p' /proc/cpuinfo
}

# fingerprint PYTHON: a hash of everything that determines the set-up.
fingerprint() {
  {
    cat "$root/setup.py" "$root/launch/setup.sh" "$root/hts_tf/commands.py" \
      "$root"/hts_tf/networks/native_ops.{py,cc} "$root/$football/engine_build.env" "$patch"
    printf '%s\n' "$root" "$1"
    processor
  } | sha256sum
}

# is_complete PYTHON: whether all is there but, perhaps, extras.
is_complete() {
  [[ -e $stamp && $venv/bin/python -ef $1 && $(sed -n 1p "$stamp") == "$(fingerprint "$1")" ]]
}

# has_finished: whether a set-up has once come to its end.
has_finished() { [[ -e $stamp && $(sed -n 1p "$stamp") ]]; }

# ---- Extras -------------------------------------------------------------------------------------

# read_extras A,B: adds them to $extras, one a line.
read_extras() {
  local name
  for name in $(IFS=,; set -f; printf '%s ' $1); do
    [[ " ${known_extras[*]} " == *" $name "* ]] ||
      die "There is no extra '$name'; there are: ${known_extras[*]}"
    extras+=$name$'\n'
  done
}

# installed_extras: those of the stamp, one a line.
installed_extras() { if [[ -e $stamp ]]; then sed -n '2,$p' "$stamp"; fi; }

# missing_extras: those of $extras that are not installed, one a line.
missing_extras() {
  local name
  for name in $extras; do
    [[ $'\n'$(installed_extras)$'\n' == *$'\n'$name$'\n'* ]] || printf '%s\n' "$name"
  done
}

# joined NAME...: names with commas between them, each once, in the order of $known_extras.
joined() {
  local name found=
  for name in "${known_extras[@]}"; do
    [[ " $* " == *" $name "* ]] && found+=,$name
  done
  printf '%s\n' "${found#,}"
}

# write_stamp FINGERPRINT EXTRAS: EXTRAS with commas between them; without a FINGERPRINT, of a set-up
# that has not finished.
write_stamp() {
  # shellcheck disable=SC2086  # words are what is wanted
  printf '%s\n' "$1" ${2//,/ } >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

# ---- Debian packages ----------------------------------------------------------------------------

missing_packages() {
  local package
  for package in $DEBIAN_PACKAGES; do
    # shellcheck disable=SC2016  # the braces are dpkg-query's
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      printf '%s\n' "$package"
  done
}

# ask_for_root WHY COMMAND: says what is to be run by whoever may.
ask_for_root() {
  say "Debian packages are missing$1, then launch again:"
  printf '  %s\n' "$2" >&2
  die "(Without root, all but football works from a wheel: see docs/installing.md.)"
}

is_root() { ((EUID == 0)); }

install_packages() {
  local missing install as_root=() log=$cache/log/apt.log
  command -v dpkg-query apt-get >/dev/null || die "This set-up needs Debian or Ubuntu (apt-get)."
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  install=(apt-get install -y --no-install-recommends "${missing[@]}")

  if ! is_root; then
    if ! command -v sudo >/dev/null; then
      ask_for_root ".  Run this as root" "apt-get update && ${install[*]}"
    elif ! sudo -n true 2>/dev/null && ! [[ -t 0 && -t 2 ]]; then
      ask_for_root ", and sudo asks for a password.  Run this" \
        "sudo apt-get update && sudo ${install[*]}"
    fi
    as_root=(sudo)
  fi

  say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  # The first command and --fix-broken go on from where an earlier installation was interrupted.  An
  # update may fail for a repository that we do not need; where we do, installing fails next.  The
  # lock's descriptor is closed, for a service that a package starts would keep it.
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  {
    "${as_root[@]}" dpkg --configure -a || true
    "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=300 update || true
    "${as_root[@]}" "${install[@]}" --fix-broken -o DPkg::Lock::Timeout=300
  } >"$log" 2>&1 9>&- || fail_with_log "Installing Debian packages failed (${install[*]})" "$log"
}

# ---- Long steps, in the background --------------------------------------------------------------

jobs=()  # indexed by process id

# fail_with_log MESSAGE LOG
fail_with_log() {
  say "The end of $2:"
  tail -n 25 "$2" >&2
  die "$1; the whole log is $2"
}

# start LOG COMMAND...: runs a command in a process group of its own, so that it can be stopped
# with all its children, and leaves its process id in $job.
start() {
  local log=$1
  shift
  set -m
  "$@" </dev/null >"$log" 2>&1 &
  set +m
  job=$!
  jobs[job]=$log
}

# await WHAT JOB
await() {
  local log=${jobs[$2]} status=0
  wait "$2" || status=$?
  unset "jobs[$2]"
  ((status == 0)) || fail_with_log "$1: failed" "$log"
  say "$1: done after $SECONDS s"
}

stop_jobs() {
  local job
  for job in "${!jobs[@]}"; do
    kill -- "-$job" 2>/dev/null || true
  done
  wait
}

stop_jobs_on_exit() {
  trap stop_jobs EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# ---- gfootball ----------------------------------------------------------------------------------

gfootball_version() { sed -nE 's/.*"gfootball==([^"]+)".*/\1/p' "$root/setup.py"; }

# describe_build PYTHON: as JSON, everything the compiled engine depends on.
describe_build() {
  "$1" -c '
import json, sys, sysconfig
names = ("gfootball", "patch", "cxxflags", "compiler", "boost_python", "processor")
build = dict(zip(names, sys.argv[1:]), python=sys.executable)
build["abi"] = sysconfig.get_config_var("SOABI")
print(json.dumps(build, indent=2))
' "$(gfootball_version)" "$(sha256sum <"$patch" | cut -d ' ' -f 1)" "$CXXFLAGS" \
    "$(c++ --version | sed -n 1p)" \
    "$(readlink -f /usr/lib/*/libboost_python3"${1##*.}".so)" "$(processor)"
}

# download_source PYTHON DIRECTORY: unpacks gfootball's source, the one that the patch is for.
download_source() {
  local python=$1 directory=$2
  mkdir "$directory"
  printf 'gfootball==%s --hash=sha256:%s\n' "$(gfootball_version)" "$GFOOTBALL_SHA256" \
    >"$directory.txt"
  "$python" -m pip download --no-deps --no-build-isolation --no-binary :all: \
    --require-hashes --requirement "$directory.txt" --dest "$directory.download"
  tar -xzf "$directory.download"/gfootball-*.tar.gz --directory "$directory" --strip-components 1
}

# build_wheel PYTHON DIRECTORY: builds the gfootball wheel into a directory that does not exist
# yet and that appears only when complete.
build_wheel() {
  local python=$1 directory=$2 work minor=${1##*.} cmake
  work=$(mktemp -d "$cache/wheels/.building.XXXXXX")
  "$python" -m venv "$work/venv"
  "$work/venv/bin/python" -m pip install 'setuptools==68.2.2' wheel psutil

  # Left to itself, CMake takes the newest Python that it finds anywhere.  CMake 4 needs to be told
  # that gfootball's old minimum is fine.
  cmake=$(PATH=/usr/bin:/bin command -v cmake)
  mkdir "$work/bin"
  cat >"$work/bin/cmake" <<SHIM
#!/bin/sh
exec $cmake "\$@" -DCMAKE_POLICY_VERSION_MINIMUM=3.5 \\
  -DPython_INCLUDE_DIR=/usr/include/python3.$minor \\
  -DPython_LIBRARY=$(echo /usr/lib/*/libpython3."$minor".so)
SHIM
  chmod +x "$work/bin/cmake"

  download_source "$work/venv/bin/python" "$work/source"
  patch --directory "$work/source" --strip 1 --forward --batch --input "$patch"

  # The build calls python3 and expects psutil there.
  PATH=$work/bin:$work/venv/bin:/usr/bin:/bin TMPDIR=$work CC=cc CXX=c++ CXXFLAGS=$CXXFLAGS \
    "$work/venv/bin/python" -m pip wheel --no-cache-dir --no-deps --no-build-isolation \
    --wheel-dir "$work/wheel" "$work/source"
  describe_build "$python" >"$work/wheel/gfootball-build.json"
  mv -T "$work/wheel" "$directory"
  rm -rf "$work"
}

# ---- .venv --------------------------------------------------------------------------------------

# install_project EXTRAS
install_project() {
  "$venv/bin/python" -m pip install --disable-pip-version-check --editable "${root}[$1]"
}

# install_all WHEEL_DIRECTORY EXTRAS
install_all() {
  # Reinstalled by force, for the same version may have been built for another processor.
  "$venv/bin/python" -m pip install --force-reinstall --no-deps "$1"/gfootball-*.whl
  install_project "football,plot,report,video,test${2:+,$2}"
  "$venv/bin/python" -m hts_tf.networks.native_ops
  "$venv/bin/python" -c 'import gfootball_engine, tensorflow_probability'
  cp "$1/gfootball-build.json" "$venv/"
}

# ---- The whole ----------------------------------------------------------------------------------

main() {
  local python wheel build wanted argument extras= force=
  for argument; do
    case $argument in
      --extras=*) read_extras "${argument#*=}" ;;
      --force) force=yes ;;
      -h | --help)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$root/launch/setup.sh"
        return
        ;;
      *) die "There is no argument '$argument'; there are: --extras=A,B --force --help" ;;
    esac
  done
  if [[ ! $force ]] && python=$(find_python /usr) && is_complete "$python" &&
    [[ ! $(missing_extras) ]]; then
    return
  fi

  unset PYTHONPATH PYTHONHOME  # they would let pip find packages outside .venv
  mkdir -p "$cache/wheels" "$cache/log"
  exec 9>"$cache/setup.lock"
  if ! flock -n 9; then
    say "Another set-up of yours is running; waiting for it to end."
    flock 9
  fi
  stop_jobs_on_exit
  if [[ $force && -e $stamp ]]; then
    # shellcheck disable=SC2046  # words are what is wanted
    write_stamp "" "$(joined $(installed_extras))"
  fi
  # shellcheck disable=SC2046  # words are what is wanted
  wanted=$(joined $(installed_extras) $extras)
  if python=$(find_python /usr) && is_complete "$python"; then
    [[ $(missing_extras) ]] || return 0
    say "Adding $(joined $(missing_extras)) (log: $cache/log/pip.log)"
    start "$cache/log/pip.log" install_project "football,plot,report,video,test,$wanted"
    await "$wanted" "$job"
    write_stamp "$(fingerprint "$python")" "$wanted"
    return
  fi
  rm -rf "$cache"/wheels/.building.*  # of builds that were killed: we hold the lock

  install_packages
  python=$(find_python /usr) ||
    die "Found no /usr/bin/python3.X (3.10 or later) with its libboost_python3X.so and headers."

  if ! has_finished || ! [[ $venv/bin/python -ef $python ]]; then
    if [[ -e $venv ]]; then
      say "Removing $venv, which is unfinished or of another Python."
      find "$venv/" -mindepth 1 ! -name "${stamp##*/}" -delete  # it knows the extras
    fi
    mkdir -p "$venv"
    write_stamp "" "$wanted"
    say "Making $venv with $python"
    start "$cache/log/venv.log" "$python" -m venv "$venv"
    await "$venv" "$job"
  else
    # What is there may still be of use, should this fail, as without a network.
    write_stamp "an update" "$wanted"
  fi

  wheel=$cache/wheels/gfootball-$(gfootball_version)-$(describe_build "$python" | sha256sum | cut -c1-16)
  if [[ ! -e $wheel ]]; then
    say "Building gfootball for this processor, which takes minutes (log: $cache/log/gfootball.log)"
    start "$cache/log/gfootball.log" build_wheel "$python" "$wheel"
    build=$job
    # Meanwhile everything that does not need it.
    say "Installing TensorFlow and the other Python packages (log: $cache/log/pip.log)"
    start "$cache/log/pip.log" install_project plot,report,video,test
    await "TensorFlow and the other Python packages" "$job"
    await "gfootball" "$build"
  fi
  say "Installing hts_tf and gfootball (log: $cache/log/pip.log)"
  start "$cache/log/pip.log" install_all "$wheel" "$wanted"
  await "hts_tf and gfootball" "$job"

  write_stamp "$(fingerprint "$python")" "$wanted"
  say "All is there ($SECONDS s)."
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
