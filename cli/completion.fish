# Completion for lido in fish.

complete -c lido -f
complete -c lido -n __fish_use_subcommand -a check -d 'connect and show server, latency and settings'
complete -c lido -n __fish_use_subcommand -a query -d 'run one statement and print its rows'
complete -c lido -n __fish_use_subcommand -a seed -d 'put the rows of a folder of files into their tables'
complete -c lido -n __fish_use_subcommand -l version -d 'show the version'
complete -c lido -l help -d 'show help'
complete -c lido -n '__fish_seen_subcommand_from check query' -l json -d 'print JSON'
complete -c lido -n '__fish_seen_subcommand_from check' -l workers -x -d 'how many processes will use the database'
complete -c lido -n '__fish_seen_subcommand_from query' -l csv -d 'print CSV with a header line'
complete -c lido -n '__fish_seen_subcommand_from query' -l table -d 'print an aligned table'
complete -c lido -n '__fish_seen_subcommand_from query' -l null -x -d 'a parameter that reads so is NULL'
complete -c lido -n '__fish_seen_subcommand_from query' -l read-only -d 'refuse writes'
complete -c lido -n '__fish_seen_subcommand_from seed' -l update -d 'rows that are there become as the files say'
complete -c lido -n '__fish_seen_subcommand_from seed' -a '(__fish_complete_directories)'
