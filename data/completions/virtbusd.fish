complete -c virtbusd -l address -d 'Serve the bus at this D-Bus address; root and the daemon\'s own user may do everything, others nothing' -r -f
complete -c virtbusd -l config -d 'Read settings from this file [default: /etc/virtbus/virtbusd.toml, or virtbus/virtbusd.toml below $XDG_CONFIG_HOME for a session]' -r -F
complete -c virtbusd -l state-dir -d 'Keep everything (definitions, state, logs, sockets) below this directory' -r -f -a "(__fish_complete_directories)"
complete -c virtbusd -l drivers -d 'Serve only these drivers, separated by commas [default: all that are built in, without test in system mode]' -r -f
complete -c virtbusd -l idle-timeout -d 'End after so many seconds without a call, if no guest has to be watched; 0: never [default: the setting idle_timeout]' -r -f
complete -c virtbusd -l system -d 'Serve the system bus; polkit decides about callers. Needs root'
complete -c virtbusd -l session -d 'Serve the session bus of the user who starts it, with guests of that user'
complete -c virtbusd -l print-config -d 'Print a settings file with every setting, its meaning and its default, and end'
complete -c virtbusd -s h -l help -d 'Print help'
complete -c virtbusd -s V -l version -d 'Print version'
