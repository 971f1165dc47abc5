# Sourced by the scripts beside it: gives this checkout a virtual environment that holds exactly its pins.
#
# The caller sets `root` (the checkout). Nothing here writes to standard output: that belongs to the command that follows.

venv=$root/.venv
python=$venv/bin/python

# A stamp is a copy of the pins that were installed. Comparing two files is quicker than hashing one, and needs no hash tool.
stamp_matches() { # KIND
    cmp -s "$root/requirements/$1.txt" "$venv/installed-$1.txt"
}

# The development pins contain the run-time pins, so a development environment serves both; `synchronise` writes both stamps.
environment_is_current() { # KIND
    [[ -x $python && ! -e $venv/unfinished ]] && stamp_matches "$1"
}

find_python() {
    local candidate
    for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
        # Run it rather than look for it: a version manager's stand-in can exist for a version that is not installed.
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

make_environment() { # PYTHON
    rm -rf "$venv"
    mkdir "$venv"
    : >"$venv/unfinished"
    if ! "$1" -m venv "$venv"; then
        echo "vpump: $1 could not make a virtual environment in $venv (Debian and Ubuntu need the package python3-venv)." >&2
        exit 2
    fi
    # Relative to site-packages, so that the checkout can be moved; no editable install, so that no build runs at first use.
    local site_packages
    for site_packages in "$venv"/lib/python3.*/site-packages; do
        echo '../../../..' >"$site_packages/checkout.pth"
    done
}

synchronise() { # KIND PYTHON
    # Somebody else may have done the work while we waited for the lock.
    if environment_is_current "$1"; then return; fi
    # An installation that was killed half-way can look complete to pip, so whatever it left behind is not trusted.
    if [[ ! -x $python || -e $venv/unfinished ]]; then
        echo "vpump: setting up .venv (first use)" >&2
        make_environment "$2"
    else
        echo "vpump: bringing .venv up to date with requirements/$1.txt" >&2
    fi
    : >"$venv/unfinished"
    rm -f "$venv"/installed-*.txt
    if ! "$python" -m pip -qq --disable-pip-version-check --no-input install \
        --require-hashes --no-deps -r "$root/requirements/$1.txt"; then
        echo "vpump: the pinned packages of requirements/$1.txt could not be installed; the message above says why." >&2
        exit 2
    fi
    cp "$root/requirements/runtime.txt" "$venv/installed-runtime.txt"
    if [[ $1 == dev ]]; then cp "$root/requirements/dev.txt" "$venv/installed-dev.txt"; fi
    rm "$venv/unfinished"
}

# What one script wants on top of the development environment; a new one of that has lost it, and gets it again.
ensure_addition() { # KIND: fuzz
    ensure_environment dev
    if stamp_matches "$1"; then return; fi
    echo "vpump: adding requirements/$1.txt to .venv" >&2
    if ! "$python" -m pip -qq --disable-pip-version-check --no-input install --only-binary :all: \
        --require-hashes --no-deps -r "$root/requirements/$1.txt" 1>&2 </dev/null; then
        echo "vpump: the pinned packages of requirements/$1.txt could not be installed; the message above says why." >&2
        exit 2
    fi
    cp "$root/requirements/$1.txt" "$venv/installed-$1.txt"
}

ensure_environment() { # KIND: runtime or dev
    if environment_is_current "$1"; then return; fi
    local base
    if ! base=$(find_python); then
        echo "vpump: Python 3.11 or newer is needed, and neither python3.11 nor python3 on the PATH is one." >&2
        exit 2
    fi
    # The lock belongs to the open file, not to the process that asks for it, so Python can take it for this subshell and for
    # every child that inherits the file; the flock command does not exist everywhere. Callers must not put this function into a
    # condition: there bash would ignore `set -e`, and a failed step would be followed by the next.
    (
        "$base" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
        synchronise "$1" "$base"
    ) 9>"$root/.venv.lock" 1>&2 </dev/null
}
