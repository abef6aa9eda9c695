// The first steps from Rust, over the C interface.
use std::os::raw::{c_char, c_int, c_void};

#[repr(C)]
#[derive(Clone, Copy)]
struct RegionId {
    table: u32,
    slot: u32,
    generation: u32,
}

#[repr(C)]
struct Region {
    id: RegionId,
    access: u32,
    address: *mut c_void,
    iova: u64,
    byte_count: u64,
}

enum Device {}
enum Domain {}
enum Simulator {}

extern "C" {
    fn vdm_simulator_create(options: *const c_void, simulator: *mut *mut Simulator) -> c_int;
    fn vdm_simulator_open(simulator: *mut Simulator, device: *mut *mut Device) -> c_int;
    fn vdm_simulator_write(
        simulator: *mut Simulator, space: u32, iova: u64, bytes: *const c_void, count: usize,
    ) -> c_int;
    fn vdm_simulator_destroy(simulator: *mut Simulator) -> c_int;
    fn vdm_domain_create(
        device: *mut Device, space: u32, options: *const c_void, domain: *mut *mut Domain,
    ) -> c_int;
    fn vdm_allocate(
        domain: *mut Domain, count: u64, options: *const c_void, region: *mut Region,
    ) -> c_int;
    fn vdm_free(domain: *mut Domain, id: RegionId, flags: u32) -> c_int;
    fn vdm_domain_close(domain: *mut Domain) -> c_int;
    fn vdm_device_close(device: *mut Device) -> c_int;
    fn vdm_strerror(code: c_int) -> *const c_char;
}

fn done(code: c_int) {
    let text = unsafe { std::ffi::CStr::from_ptr(vdm_strerror(code)) };
    assert_eq!(code, 0, "{}", text.to_string_lossy());
}

fn main() {
    let mut simulator = std::ptr::null_mut();
    let mut device = std::ptr::null_mut();
    let mut domain = std::ptr::null_mut();
    let mut region = std::mem::MaybeUninit::<Region>::uninit();
    let word = b"rust";
    unsafe {
        done(vdm_simulator_create(std::ptr::null(), &mut simulator));
        done(vdm_simulator_open(simulator, &mut device));
        done(vdm_domain_create(device, 0, std::ptr::null(), &mut domain));
        done(vdm_allocate(domain, 1 << 16, std::ptr::null(), region.as_mut_ptr()));
        let region = region.assume_init();
        assert_eq!(region.byte_count, 1 << 16);
        done(vdm_simulator_write(simulator, 0, region.iova, word.as_ptr().cast(), 4));
        assert_eq!(std::slice::from_raw_parts(region.address as *const u8, 4), word);
        done(vdm_free(domain, region.id, 0));
        assert_eq!(vdm_free(domain, region.id, 0), -2);
        done(vdm_domain_close(domain));
        done(vdm_device_close(device));
        done(vdm_simulator_destroy(simulator));
    }
    println!("1 passed, 0 failed");
}
