# What the VM is made of: Debian's packages, Debian's kernel, the vDPA modules built against it (Debian
# does not build them) and an initramfs. Sourced by kernel-vm, which sets `here` and `cache`.
# In the cache: kernel/ (version, vmlinuz, modules/ with their load order) and initramfs-HASH.
# shellcheck shell=bash disable=SC2154

run_packages=(qemu-system-x86 qemu-system-common iproute2 numactl util-linux strace)
build_packages=(busybox-static cpio gzip kmod xz-utils make gcc linux-source-6.1)

# Modules of Debian's image that the guest needs; their own dependencies are found by modprobe.
image_modules=(virtio_pci 9p 9pnet_virtio overlay vhost vhost_iotlb irqbypass)
# Modules built here, in load order.
built_modules=(vdpa vringh vdpa_sim vdpa_sim_net vdpa_sim_blk vhost_vdpa vduse vp_vdpa)

setup() {
  require_debian_12
  mkdir -p "$cache/runs" || die "cannot write the cache folder $cache (KERNEL_VM_CACHE names another)"
  exec 9>"$cache/lock"
  flock 9 # two set-ups at once would build twice
  install_packages "${run_packages[@]}" || die "the VM needs those packages"
  if [ ! -e "$cache/kernel/version" ]; then
    install_packages "${build_packages[@]}" || die "building the VM's kernel modules needs those packages"
    make_kernel
  fi
  make_initramfs
  exec 9>&-
  say "ready: Debian's kernel $(cat "$cache/kernel/version") in $cache"
}

require_debian_12() {
  [ "$(uname -m)" = x86_64 ] ||
    die "the VM runs this machine's own binaries on an x86-64 kernel, and this machine is $(uname -m)"
  # shellcheck disable=SC1091
  [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}-${VERSION_ID:-}")" = debian-12 ] ||
    die "setup needs Debian 12: it takes the kernel 6.1, its headers and its source from there"
}

# Newest kernel image that Debian offers here, as the version in its package name (6.1.0-NN-amd64).
kernel_version() {
  apt-cache depends linux-image-amd64 2>/dev/null |
    sed -nE 's/^ *Depends: linux-image-(6\.1\.[^ ]+)$/\1/p' | head -1
}

make_kernel() {
  local version work status=0
  version=$(kernel_version)
  if [ -z "$version" ]; then # nothing was installed above, so the package lists may be empty
    as_root apt-get update -qq || die "apt-get update failed: no package list, so no kernel to fetch"
    version=$(kernel_version)
  fi
  [ -n "$version" ] || die "no package linux-image-amd64 of series 6.1 is on offer here"
  install_packages "linux-headers-$version" || die "building the VM's kernel modules needs the headers"
  work=$cache/new.$$
  rm -rf "$work" && mkdir -p "$work"
  (cd "$work" && fetch_image "$version" && build_modules "$version" && collect "$version") || status=$?
  if [ $status -eq 0 ]; then
    rm -rf "$cache/kernel"
    mv "$work/kernel" "$cache/kernel"
  fi
  rm -rf "$work"
  [ $status -eq 0 ] || die "setup failed; nothing was kept"
}

# Each step below runs in the new work folder, and says what failed and why.

fetch_image() {
  say "fetching Debian's kernel $1"
  # --print-uris would do without a file; `download` checks the hash and needs no root.
  apt-get download -qq "linux-image-$1" >download.log 2>&1 ||
    { complain "apt-get download failed:" && tail -5 download.log >&2 && return 1; }
  dpkg-deb -x ./linux-image-*.deb image && depmod -b image "$1" 2>depmod.log ||
    { complain "cannot unpack the kernel:" && tail -5 depmod.log >&2 && return 1; }
}

build_modules() {
  local version=$1 from=linux-source-6.1/drivers
  say "building the vDPA modules for it"
  tar xf /usr/src/linux-source-6.1.tar.xz --wildcards "$from/vdpa/*" "$from/vhost/*" || return
  mkdir build
  cp $from/vdpa/vdpa_sim/*.[ch] $from/vdpa/vdpa_user/*.[ch] $from/vdpa/virtio_pci/vp_vdpa.c \
    $from/vhost/vringh.c $from/vhost/vhost.h build/
  # A module cannot be linked from a source of its own name and others, hence the new names.
  cp $from/vdpa/vdpa.c build/vdpa_core.c
  cp $from/vhost/vdpa.c build/vhost_vdpa_core.c
  cat >build/Kbuild <<'KBUILD'
obj-m += vdpa.o vhost_vdpa.o vringh.o vdpa_sim.o vdpa_sim_net.o vdpa_sim_blk.o vduse.o vp_vdpa.o
vdpa-y := vdpa_core.o
vhost_vdpa-y := vhost_vdpa_core.o
vduse-y := vduse_dev.o iova_domain.o
ccflags-y += -DCONFIG_VDPA_MODULE=1 -DCONFIG_VHOST_VDPA_MODULE=1 -DCONFIG_VHOST_RING_MODULE=1
KBUILD
  make -s -C "/usr/src/linux-headers-$version" M="$PWD/build" modules >build.log 2>&1 ||
    { complain "the modules do not build:" && tail -20 build.log >&2 && return 1; }
}

collect() {
  local version=$1 module file
  mkdir -p kernel/modules
  cp "image/boot/vmlinuz-$version" kernel/vmlinuz || return
  for module in "${image_modules[@]}"; do
    modprobe -d "$PWD/image" -S "$version" --show-depends "$module" 2>modprobe.log ||
      { complain "the kernel has no module $module:" && cat modprobe.log >&2 && return 1; }
  done >dependencies || return
  awk '/^insmod/ && !seen[$2]++ { print $2 }' dependencies >files
  while read -r file; do
    cp "$file" kernel/modules/ && basename "$file" || return
  done <files >kernel/modules/order
  for module in "${built_modules[@]}"; do
    cp "build/$module.ko" kernel/modules/ && echo "$module.ko" || return
  done >>kernel/modules/order
  cp "$(command -v busybox)" kernel/busybox || return
  echo "$version" >kernel/version # last: it says that the folder is whole
}

# The initramfs is named by what is in it, so check-outs with different harnesses share one cache.
initramfs_path() {
  echo "$cache/initramfs-$(cat "$here/guest/init" "$cache/kernel/version" | sha256sum | cut -c1-16)"
}

make_initramfs() {
  local target work
  target=$(initramfs_path)
  [ ! -e "$target" ] || return 0
  find "$cache" -maxdepth 1 -name 'initramfs*' -mtime +30 -delete
  command -v cpio >/dev/null || install_packages cpio || die "the initramfs is packed with cpio"
  work=$(mktemp -d "$cache/initramfs.XXXXXX")
  mkdir -p "$work"/{bin,proc,sys,dev,host,overlay,new}
  cp "$cache/kernel/busybox" "$work/bin/"
  cp -r "$cache/kernel/modules" "$work/modules"
  cp "$here/guest/init" "$work/init"
  (cd "$work" && find . | cpio -o -H newc --quiet | gzip -1) >"$work.packed" || die "cannot pack $target"
  mv "$work.packed" "$target"
  rm -rf "$work"
}
