"""What zsh and fish are told, around a line, to say the state that they have afterwards: in the words of `_shell`, over its descriptor.

bash and the shells of sh's kind are `_shell`'s own. Only the lines of a prompt run in these two: what others have written is written for a sh.
"""

from __future__ import annotations

# What was there before the line is the shell's own, unless it is exported. Aliases are written out by nlsh, so the shell expands none.
ZSH_FIRST = r"""zmodload zsh/parameter; _nlsh_b=" ${(kj: :)parameters} "; unsetopt aliases
"""
ZSH = r"""
{ unfunction builtin printf setopt emulate zmodload pwd umask dirs; } 2>/dev/null
{ builtin printf 'setopt\0'; builtin setopt; builtin printf '\0'; } >&9 2>/dev/null
builtin emulate -R zsh; builtin unsetopt aliases
{ builtin printf 'cwd\0'; builtin pwd -P; builtin printf '\0umask\0'; builtin umask; builtin printf '\0'
for _nlsh_n in ${(k)parameters}; do
  _nlsh_t=$parameters[$_nlsh_n]
  case $_nlsh_n in (_nlsh_*|_|IFS|ZSH*) continue;; esac
  if [[ $_nlsh_t != *export* && ( $_nlsh_t == *special* || $_nlsh_b == *" $_nlsh_n "* ) ]]; then continue; fi
  case $_nlsh_t in
    (array*) _nlsh_v=("${(@P)_nlsh_n}"); builtin printf 'array\0%s\0%s\0%s\0' $_nlsh_n $_nlsh_t $#_nlsh_v
      for (( _nlsh_i = 1; _nlsh_i <= $#_nlsh_v; _nlsh_i++ )); do builtin printf '%s\0%s\0' $_nlsh_i "$_nlsh_v[$_nlsh_i]"; done;;
    (association*) _nlsh_v=("${(@kvP)_nlsh_n}"); builtin printf 'array\0%s\0%s\0%s\0' $_nlsh_n $_nlsh_t $(( $#_nlsh_v / 2 ))
      (( $#_nlsh_v )) && builtin printf '%s\0' "${_nlsh_v[@]}";;
    (*) builtin printf 'value\0%s\0%s\0%s\0' $_nlsh_n $_nlsh_t "${(P)_nlsh_n}";;
  esac
done
for _nlsh_n in ${(k)aliases}; do
  case $_nlsh_n in (run-help|which-command) continue;; esac
  builtin printf 'alias\0%s\0%s\0' $_nlsh_n "$aliases[$_nlsh_n]"
done
for _nlsh_n in ${(k)functions}; do builtin printf 'function\0%s\0%s\0' $_nlsh_n "$_nlsh_n () {"$'\n'"$functions[$_nlsh_n]"$'\n}'; done
for _nlsh_n in ${(k)galiases} ${(k)saliases}; do builtin printf 'lost\0%s\0' "the global or suffix alias $_nlsh_n"; done
builtin printf 'pushed\0'; builtin dirs -lp; builtin printf '\0end\0'; } >&9 2>/dev/null
"""
FISH_FIRST = r"""set -g _nlsh_b (set -n); function _nlsh_exit; return $argv[1]; end
"""
# Names come through a pipe ((…)), which what the line has left behind might write into: what is said of each is asked of the shell itself.
FISH = r"""
begin
  builtin printf 'cwd\0'; builtin pwd -P; builtin printf '\0umask\0'; umask; builtin printf '\0'
  for _nlsh_n in (set -n | sort -u 9>&-)
    switch $_nlsh_n
      case '_nlsh_*' _ '__fish*' 'fish_*' 'FISH_*' '*status' status_generation version history hostname argv umask IFS EUID CMD_DURATION
        continue
    end
    if set -qx $_nlsh_n
      builtin printf 'value\0%s\0x\0%s\0' $_nlsh_n "$$_nlsh_n"
    else if not builtin contains -- $_nlsh_n $_nlsh_b
      builtin printf 'array\0%s\0a\0%s\0' $_nlsh_n (builtin count $$_nlsh_n)
      set -l _nlsh_i 0
      for _nlsh_v in $$_nlsh_n
        set _nlsh_i (builtin math $_nlsh_i + 1)
        builtin printf '%s\0%s\0' $_nlsh_i "$_nlsh_v"
      end
    end
  end
  for _nlsh_n in (builtin functions -an)
    if string match -qr '^_nlsh_' -- $_nlsh_n
      continue
    end
    switch (builtin functions -D $_nlsh_n)
      case stdin -
        builtin printf 'function\0%s\0' $_nlsh_n; builtin functions $_nlsh_n; builtin printf '\0'
    end
  end
  for _nlsh_n in (abbr --list)
    builtin printf 'lost\0%s\0' "the abbreviation $_nlsh_n"
  end
  builtin printf 'said\0end\0'
end >&9 2>/dev/null
"""
