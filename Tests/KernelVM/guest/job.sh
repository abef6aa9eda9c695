# shellcheck shell=bash disable=SC2154
# Runs in the guest, sourced by the job file that `kernel-vm run` writes. The job file sets: profile,
# memlock (bytes, `unlimited`, or empty for the kernel's default), directory, guest (this folder),
# command (array). Its exit status is the command's; 125 when the guest could not be prepared.

fail() {
  echo "kernel-vm: guest: $*" | tee /dev/ttyS0
  exit 125
}

# The second serial port carries the command's output and nothing else. Raw: no CR before each LF.
stty -F /dev/ttyS1 raw -echo || fail "no second serial port"
exec </dev/null >/dev/ttyS1 2>&1
export TERM=dumb NO_COLOR=1 PATH="$guest/bin:$PATH:/usr/sbin:/sbin"
export KERNEL_VM_PROFILE=$profile

# Asks a node for 2 MiB pages and makes sure that it gave them: tests count on the exact number.
hugepages() {
  local node=$1 wanted=$2 file
  file=/sys/devices/system/node/node$node/hugepages/hugepages-2048kB/nr_hugepages
  echo "$wanted" >"$file" && [ "$(cat "$file")" = "$wanted" ] ||
    fail "node $node gave $(cat "$file") of $wanted hugepages of 2 MiB"
}

# vp_vdpa takes over the virtio PCI devices (0x1041 net, 0x1042 block) behind the IOMMU.
add_virtio_pci_devices() {
  local device address
  for device in /sys/bus/pci/devices/*; do
    case $(cat "$device/device") in 0x1041 | 0x1042) ;; *) continue ;; esac
    address=${device##*/}
    [ ! -e "$device/driver" ] || echo "$address" >"$device/driver/unbind"
    echo vp-vdpa >"$device/driver_override"
    echo "$address" >/sys/bus/pci/drivers/vp-vdpa/bind
    vdpa dev add name "vp-${address//[:.]/-}" mgmtdev "pci/$address" || return
  done
}

hugepages 0 96
hugepages 1 64
[ "$(cat /sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages)" = 1 ] ||
  fail "node 1 has no hugepage of 1 GiB"

case $profile in
sim | sim-nobatch)
  vdpa dev add name sim-net mgmtdev vdpasim_net && vdpa dev add name sim-blk mgmtdev vdpasim_blk
  ;;
iommu) add_virtio_pci_devices ;;
vduse) restart-vduse ;;
esac || fail "cannot add the vDPA devices of profile $profile"

cd "$directory" || fail "no folder $directory in the guest"
[ -z "$memlock" ] || prlimit --pid $$ --memlock="$memlock:$memlock" ||
  fail "cannot set the memlock limit to $memlock"
"${command[@]}"
