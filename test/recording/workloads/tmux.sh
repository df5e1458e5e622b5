# SPDX-License-Identifier: Apache-2.0
tmux new-session -d -s work@N@ bash
tmux send-keys -t work@N@ 'cd /srv && ls -l && df -h . | tee ~/tmux.out' Enter
tmux split-window -t work@N@ 'sleep 2; vmstat 1 3'
sleep 4
test -s tmux.out && rm tmux.out
tmux kill-session -t work@N@
screen -dmS job@N@ bash -c 'sleep 2; date > ~/screen.out'
sleep 4
test -s screen.out && rm screen.out
