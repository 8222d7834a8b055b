# usage: zsh -f complete.zsh SCRIPT LINE EXPECTED: types LINE and a tab into a zsh with SCRIPT, and waits until it shows
# EXPECTED.
zmodload zsh/zpty
zpty shell "PS1='> ' TERM=dumb zsh -f -i"
zpty -w shell "autoload -Uz compinit; compinit -u -D; source ${(q)1}; unsetopt automenu; bindkey '^I' complete-word; echo rea''dy"
zpty -r -m shell seen '*ready*'
zpty -w -n shell "$2"$'\t'
zpty -r -m shell seen "*$3*"
zpty -d shell
