# Completion for lido in bash.

_lido() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=
    COMPREPLY=()
    case $previous in
    --interval | --null | --seconds | --tasks | --threads | --workers) return ;;
    --models)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    esac
    if ((COMP_CWORD == 1)); then
        words='bench check query schema seed top --help --version'
    elif [[ $current == -* ]]; then
        case ${COMP_WORDS[1]} in
        bench) words='--json --read-only --seconds --tasks --then --threads --workers --help' ;;
        check) words='--json --workers --help' ;;
        seed) words='--update --help' ;;
        query) words='--csv --json --null --read-only --table --help' ;;
        top) words='--interval --json --once --help' ;;
        schema) words='--check --create --drop --models --yes --help' ;;
        esac
    fi
    if ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} == seed && $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _lido lido
