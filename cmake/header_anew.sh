#!/bin/sh
# header_anew.sh OLD COMMAND...: runs the command, which may compile a header in the place of OLD.
# GCC would read OLD where ccache asks it what the new one is made of: ccache then answers with a header
# that such an old one was once followed by, and nobody sees why a file no longer compiles.
old=$1
shift
case " $* " in *" c++-header "*) rm -f "$old" ;; esac
exec "$@"
