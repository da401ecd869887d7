#!/usr/bin/env bash
# Two hosts in one: namespaces with a cable between them, over which four ranks, two on each, train by TCP alone.
#   two_hosts.sh PROGRAM [PART ...]     all parts by default:
#   bits     the model is that of one process, to the bit
#   cable    it is pulled: every rank ends within --rank_timeout, those that can still be heard with a line that names who
#            is missing, and one process goes on to the same bits
#   probed   it is pulled, and mpirun was told to look after its daemons: it names the host and ends all
#   frozen   one host stands still: the ranks of the other end likewise
# Exit code 77: no mpirun, or no namespaces for this user.
set -euo pipefail

program=$(realpath "$1")
self=$(realpath "$0")
readonly program self timeout=6 # s
shift

skip() {
  echo "skipped: $*"
  exit 77
}

fail() {
  echo "two hosts: $*" >&2
  exit 1
}

if [ -z "${TK_TWO_HOSTS-}" ]; then
  for tool in mpirun unshare nsenter ip; do
    command -v "$tool" > /dev/null || skip "no $tool"
  done
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  become_root=$([ "$(id -u)" = 0 ] || echo --map-root-user)
  # All that is started here ends with the first process of these namespaces, and what they hold goes with them.
  readonly apart="unshare $become_root --net --mount --pid --mount-proc --fork --kill-child"
  $apart sh -c 'ip link add left type veth peer name right' 2> /dev/null || skip "no namespaces or no cable between them"
  status=0
  TK_TWO_HOSTS=$work $apart "$self" "$program" "$@" || status=$?
  exit "$status"
fi

readonly work=$TK_TWO_HOSTS
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1 TMPDIR=$work

# Hosts.

readonly addresses=(10.77.0.1 10.77.0.2)

# Runs what follows on host 0 or 1.
on() {
  local host=$1
  shift
  nsenter --target "$(cat "$work/host-$host")" --net --uts --mount -- "$@"
}

make_host() {
  unshare --net --uts --mount sh -c "
    hostname tk-$1
    mount -t tmpfs tmpfs /dev/shm
    echo \$\$ > $work/host-$1
    exec sleep infinity" &
  until [ -s "$work/host-$1" ]; do sleep 0.02; done
}

make_hosts() {
  for host in 0 1; do
    make_host "$host"
    ip link add "port$host" type veth peer name "cable$host"
    ip link set "port$host" netns "$(cat "$work/host-$host")"
    on "$host" ip link set lo up
    on "$host" ip addr add "${addresses[$host]}/24" dev "port$host"
    on "$host" ip link set "port$host" up
    ip link set "cable$host" up
  done
  ip link add switch type bridge
  ip link set cable0 master switch
  ip link set cable1 master switch
  ip link set switch up
  cat > "$work/agent" << END
#!/usr/bin/env bash
host=0; [ "\$1" = ${addresses[1]} ] && host=1
shift
exec nsenter --target "\$(cat "$work/host-\$host")" --net --uts --mount -- sh -c "\$*"
END
  chmod +x "$work/agent"
}

# What is trained.

make_task() {
  mkdir -p "$work/data/SST-2"
  printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the plot music cast story was fine dull and long new > "$work/vocab.txt"
  cat > "$work/config.json" << 'END'
{"model_type": "bert", "vocab_size": 16, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
 "intermediate_size": 32, "max_position_embeddings": 40}
END
  local nouns=(plot music cast story) words=(dull fine)
  for split in train dev; do
    printf 'sentence\tlabel\n'
    for i in $(seq 32); do
      printf 'the %s was %s and %s\t%d\n' "${nouns[$((i % 4))]}" "${words[$((i % 2))]}" \
        "$([ $((i % 3)) = 0 ] && echo long || echo new)" $((i % 2))
    done
  done | split --lines 33 - "$work/data/SST-2/"
  mv "$work/data/SST-2/aa" "$work/data/SST-2/train.tsv"
  mv "$work/data/SST-2/ab" "$work/data/SST-2/dev.tsv"
  "$program" init "$work/model" --config "$work/config.json" --vocab "$work/vocab.txt" > /dev/null
}

training() {
  echo "$program train --task_name sst2 --data_dir $work/data --model_name_or_path $work/model --output_dir $work/$1" \
    "--per_device_train_batch_size 12 --micro_batches 8 --learning_rate 1e-3 --report=false --threads 1 --progress off" \
    "--save_steps 10 --skim --skim_width 4"
}

# Two ranks on each host.
over_both() {
  on 0 mpirun -n 4 --host "${addresses[0]}:2,${addresses[1]}:2" --bind-to none --mca btl tcp,self --mca pml ob1 \
    --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 --mca plm_rsh_agent "$work/agent" "$@"
}

# Begins a run of ranks that wait so many seconds for each other, with options for mpirun, and returns once it has saved;
# what is said goes to $work/said.
readonly steps=400
begin() {
  local output=$1 patience=$2
  shift 2
  over_both "$@" $(training "$output") --max_steps $steps --rank_timeout "$patience" > "$work/said" 2>&1 &
  mpirun=$!
  until ls "$work/$output" 2> /dev/null | grep -qx 'checkpoint-[0-9]*'; do  # the first may be gone again
    kill -0 "$mpirun" 2> /dev/null || fail "mpirun ended early: $(cat "$work/said")"
    sleep 0.02
  done
}

ranks() { pgrep -x transkimmer || true; }
all_of_run() {
  pgrep -x mpirun || true
  pgrep -x orted || true
  ranks
}
ranks_here() { ranks | xargs -I{} sh -c '[ "$(readlink /proc/{}/ns/net)" != "$(readlink /proc/'"$1"'/ns/net)" ] || echo {}'; }

# Waits until a command has nothing more to list, and prints after how many seconds that was.
wait_until_none() {
  local begun most=$1
  begun=$(date +%s%N)
  shift
  while [ -n "$("$@")" ]; do
    [ $((($(date +%s%N) - begun) / 1000000000)) -lt "$most" ] || fail "still there after $most s: $("$@" | xargs ps)"
    sleep 0.05
  done
  echo "$((($(date +%s%N) - begun) / 100000000))" | sed 's/\(.\)$/.\1/; s/^\./0./'
}

expect() {
  grep -qE -- "$1" "$work/said" || fail "expected \"$1\", got: $(cat "$work/said")"
  grep -hE -- "$1" "$work/said" | head -n 2
}

readonly missing="rank [01]: rank [23](, 3)? (has|have) not answered for $timeout s \(--rank_timeout\)"
readonly grace=4 # s, for two cores that others use, too

# Of mpirun, too, which waits for a daemon that does not answer.
end_mpirun() {
  all_of_run | xargs -r kill -KILL 2> /dev/null || true  # some end by themselves meanwhile
  wait_until_none 10 all_of_run > /dev/null
  wait "$mpirun" || true
}

# One process goes on where the ranks were.
check_goes_on() {
  [ -e "$work/whole" ] || $(training whole) --max_steps $steps > "$work/said" 2>&1 || fail "$(cat "$work/said")"
  $(training "$1") --max_steps $steps > "$work/said" 2>&1 || fail "$(cat "$work/said")"
  grep -q 'going on after step' "$work/said" || fail "began anew: $(cat "$work/said")"
  cmp "$work/whole/model.safetensors" "$work/$1/model.safetensors" || fail "gone on to other bits"
  echo "$1: one process went on to the same bits"
}

bits() {
  [ "$(over_both hostname | sort | uniq -c | xargs)" = "2 tk-0 2 tk-1" ] || fail "the ranks are not on two hosts"
  $(training one) --max_steps 30 > "$work/said" 2>&1 || fail "$(cat "$work/said")"
  over_both $(training both) --max_steps 30 > "$work/said" 2>&1 || fail "$(cat "$work/said")"
  cmp "$work/one/model.safetensors" "$work/both/model.safetensors" || fail "other bits than those of one process"
  echo "bits: 2 + 2 ranks have those of one process"
}

cable() {
  begin cable $timeout
  ip link set cable1 down
  echo "cable: all ranks ended after $(wait_until_none $((timeout + grace)) ranks) s"
  expect "$missing"
  end_mpirun
  ip link set cable1 up
  check_goes_on cable
}

probed() {
  begin probed 600 --mca oob_tcp_keepalive_time 1 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 2
  ip link set cable1 down
  echo "probed: all processes ended after $(wait_until_none 20 all_of_run) s"
  expect "Remote daemon: .* on node ${addresses[1]}"
  ip link set cable1 up
  check_goes_on probed
}

frozen() {
  begin frozen $timeout
  local here
  here=$(cat "$work/host-1")
  { ranks_here "$here"; pgrep -x orted; } | xargs kill -STOP
  echo "frozen: the other host's ranks ended after $(wait_until_none $((timeout + grace)) ranks_here "$(cat "$work/host-0")") s"
  expect "$missing"
  end_mpirun
  check_goes_on frozen
}

make_hosts
make_task
for part in ${@:-bits cable probed frozen}; do
  "$part"
done
