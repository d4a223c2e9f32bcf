# Sourced by launch commands, with their arguments, $script and $root. Whoever asks for help does
# not ask for an installation: where nothing is set up yet, --help is what the head of the command
# says.

# Python takes what lies where it is started before all that is installed.
if [[ -e hts_tf/__init__.py && ! hts_tf -ef $root/hts_tf ]]; then
  printf 'error: here Python would take the hts_tf of this directory; first: cd %q\n' "$root" >&2
  exit 2
fi

# set_up [--extras=A,B]: sets up what is missing.
set_up() { "$root/launch/setup.sh" "$@"; }

# usage: prints the head of the command.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$script"; }

arguments=()
for argument; do
  [[ $argument != -h ]] || argument=--help # Python's commands know only this
  arguments+=("$argument")
  [[ $argument == --help ]] || continue
  if [[ $(sed -n 1p "$root/.venv/hts_tf-stamp" 2>/dev/null) ]]; then
    set_up() { :; }
  else
    usage
    printf '\nHere nothing is set up yet; after ./launch/setup.sh, --help lists all flags, too.\n'
    exit
  fi
done
set -- "${arguments[@]}"
