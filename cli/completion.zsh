#compdef lido
# Completion for lido in zsh.

_lido() {
    local -a commands
    commands=(
        'bench:load the database with a statement, and measure'
        'check:connect and show server, latency and settings'
        'query:run one statement and print its rows'
        'schema:print, make, compare or drop the tables of models'
        'seed:put the rows of a folder of files into their tables'
        'top:show what a running application does, live'
    )
    if ((CURRENT == 2)); then
        _describe command commands
        _arguments '--help[show help]' '--version[show the version]'
        return
    fi
    local command=$words[2]
    shift words
    ((CURRENT--))
    case $command in
    bench)
        _arguments -A '-*' '--workers[how many processes]:number:' '--threads[how many threads in each]:number:' \
            '--tasks[how many tasks in each thread]:number:' '--seconds[how long]:number:' '--read-only[only read]' \
            '--then[the next statement of the transaction]' '--json[one JSON object]' '--help[show help]' \
            '1:URL or SQL:' '*:parameter:'
        ;;
    check)
        _arguments '--json[one JSON object]' '--workers[how many processes will use the database]:number:' \
            '--help[show help]' '1:URL:'
        ;;
    query)
        _arguments -S -A '-*' '(--csv --json)--table[an aligned table]' '(--table --json)--csv[CSV with a header line]' \
            '(--table --csv)--json[a JSON array of objects]' '--null[a parameter that reads so is NULL]:word:' \
            '--read-only[refuse writes]' '--help[show help]' '1:URL or SQL:' '*:parameter:'
        ;;
    schema)
        _arguments '--models[the shared library that has the models]:file:_files' \
            '(--check --drop)--create[make the tables that are not there]' \
            '(--create --drop)--check[print what differs]' \
            '(--create --check)--drop[drop the tables, with their rows]' '--yes[drop without asking]' \
            '--help[show help]' '1:URL:'
        ;;
    top)
        _arguments '--interval[seconds between two readings]:number:' '--once[print it once]' \
            '--json[one JSON object]' '--help[show help]' '1:address:'
        ;;
    seed)
        _arguments '--update[rows that are there become as the files say]' '--help[show help]' '*:folder:_files -/'
        ;;
    esac
}

_lido "$@"
