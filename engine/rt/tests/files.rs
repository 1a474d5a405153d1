//! Files and directories on a real disk, over both backends, direct and buffered.

use bytes::Bytes;
use quoit_rt::{AlignedBuf, Config, OpenMode, Rt, SocketBackend, start};
use std::{future::Future, io, path::PathBuf};

fn on_each_backend<Fut: Future<Output = ()> + 'static>(
    scene: impl Fn(Rt, PathBuf) -> Fut + Copy + Send + 'static,
) {
    // The build's temporary folder is on a disk; shared memory refuses O_DIRECT on older kernels.
    let mut places = vec![PathBuf::from(env!("CARGO_TARGET_TMPDIR"))];
    places.extend(Some(PathBuf::from("/dev/shm")).filter(|p| p.is_dir()));
    for backend in [SocketBackend::OwnRing, SocketBackend::Glommio] {
        for (i, place) in places.iter().enumerate() {
            let unique = format!(
                "quoit-files-{}-{backend:?}-{i}-{}",
                std::process::id(),
                rand()
            );
            let folder = place.join(unique);
            let of_core = folder.clone();
            let running = start(
                Config {
                    backend,
                    ..Config::with_cores(1)
                },
                move |_| {
                    let folder = of_core.clone();
                    move |rt: Rt| async move {
                        rt.disk().create_dir(&folder).await.expect("a folder");
                        scene(rt, folder).await;
                    }
                },
            )
            .expect("a core");
            let outcome = running.join();
            let _ = std::fs::remove_dir_all(&folder);
            outcome.expect("the scene holds");
        }
    }
}

fn rand() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[test]
fn what_is_written_to_a_log_segment_is_read_back() {
    on_each_backend(|rt, folder| async move {
        let disk = rt.disk();
        let segment = disk
            .open(folder.join("segment"), OpenMode::create_new().for_log())
            .await
            .expect("a file");
        assert!(segment.traits().synced);
        segment.preallocate_zeroed(3 << 20).await.expect("room");
        assert_eq!(segment.size().await.expect("a size"), 3 << 20);

        let mut group = AlignedBuf::with_capacity(8192);
        group.extend_from_slice(&[5; 6000]);
        group.pad_to(4096);
        let (written, group) = segment.write_at(group, 4096).await;
        written.expect("the write is durable");
        // The same memory goes out again, shared this time.
        let (written, shared) = segment.write_at(group.freeze(), 65_536).await;
        written.expect("the write is durable");
        assert_eq!(shared.len(), 8192);
        segment.sync().await.expect("synced");

        let (read, back) = segment.read_at(AlignedBuf::zeroed(8192), 65_536).await;
        assert_eq!(read.expect("readable"), 8192);
        assert_eq!(&back[..], &shared[..]);
        let (read, back) = segment.read_at(AlignedBuf::zeroed(4096), 0).await;
        assert_eq!(read.expect("readable"), 4096);
        assert!(
            back.iter().all(|&b| b == 0),
            "zeros where nothing was written"
        );
        let (read, _) = segment
            .read_at(AlignedBuf::zeroed(8192), (3 << 20) - 4096)
            .await;
        assert_eq!(
            read.expect("readable"),
            4096,
            "short only at the end of the file"
        );
    });
}

#[test]
fn a_direct_file_refuses_what_is_not_aligned_and_hands_it_back() {
    on_each_backend(|rt, folder| async move {
        let file = rt
            .disk()
            .open(folder.join("f"), OpenMode::create_new().for_log())
            .await
            .expect("a file");
        let (written, buf) = file.write_at(Bytes::from_static(b"seven b"), 3).await;
        assert_eq!(&buf[..], b"seven b");
        if file.traits().direct {
            assert_eq!(
                written.expect_err("not aligned").kind(),
                io::ErrorKind::InvalidInput
            );
        } else {
            written.expect("a buffered file takes anything");
        }
    });
}

#[test]
fn a_buffered_file_is_written_anywhere_and_cut() {
    on_each_backend(|rt, folder| async move {
        let path = folder.join("record");
        let file = rt
            .disk()
            .open(&path, OpenMode::read_write())
            .await
            .expect("a file");
        file.write_at(Bytes::from_static(b"hello world"), 0)
            .await
            .0
            .expect("written");
        file.write_at(Bytes::from_static(b"W"), 6)
            .await
            .0
            .expect("written");
        file.set_size(9).await.expect("cut");
        file.sync().await.expect("synced");
        let file = rt
            .disk()
            .open(&path, OpenMode::read())
            .await
            .expect("it is there");
        let (read, back) = file.read_at(AlignedBuf::zeroed(100), 0).await;
        assert_eq!(&back[..read.expect("readable")], b"hello Wor");
        // What a read-only file refuses is an error, and the memory comes back.
        let (written, buf) = file.write_at(Bytes::from_static(b"x"), 0).await;
        written.expect_err("opened for reading");
        assert_eq!(&buf[..], b"x");
    });
}

#[test]
fn a_write_whose_future_is_dropped_still_happens_with_its_memory() {
    on_each_backend(|rt, folder| async move {
        let file = rt
            .disk()
            .open(folder.join("f"), OpenMode::create_new())
            .await
            .expect("a file");
        for i in 0..100u64 {
            let mut future =
                Box::pin(file.write_at(Bytes::from(vec![i as u8 + 1; 4096]), i * 4096));
            let _ = rt.timeout(rt.now(), &mut future).await;
        }
        // Operations on one file may overtake each other, so wait for the bytes rather than for a later write.
        for i in 0..100u64 {
            loop {
                let (read, back) = file.read_at(AlignedBuf::zeroed(4096), i * 4096).await;
                if read.expect("readable") == 4096 && back.iter().all(|&b| b == i as u8 + 1) {
                    break;
                }
                rt.yield_now().await;
            }
        }
    });
}

#[test]
fn names_are_made_renamed_listed_and_removed() {
    on_each_backend(|rt, folder| async move {
        let disk = rt.disk();
        for name in ["b", "a", "c"] {
            disk.open(folder.join(name), OpenMode::create_new())
                .await
                .expect("new");
        }
        let again = disk.open(folder.join("a"), OpenMode::create_new()).await;
        assert_eq!(
            again.err().expect("it exists").kind(),
            io::ErrorKind::AlreadyExists
        );
        let missing = disk.open(folder.join("z"), OpenMode::read()).await;
        assert_eq!(
            missing.err().expect("not there").kind(),
            io::ErrorKind::NotFound
        );
        disk.rename(folder.join("b"), folder.join("c"))
            .await
            .expect("renamed");
        disk.sync_dir(&folder).await.expect("synced");
        assert_eq!(disk.list(&folder).await.expect("listed"), ["a", "c"]);
        disk.create_dir(folder.join("d/e")).await.expect("nested");
        disk.remove(folder.join("d/e")).await.expect("removed");
        disk.remove(folder.join("a")).await.expect("removed");
        assert_eq!(disk.list(&folder).await.expect("listed"), ["c", "d"]);
    });
}

#[test]
fn a_locked_directory_refuses_a_second_holder() {
    on_each_backend(|rt, folder| async move {
        let lock = rt.disk().lock(folder.join("lock")).await.expect("free");
        let second = rt.disk().lock(folder.join("lock")).await;
        assert_eq!(
            second.err().expect("held").kind(),
            io::ErrorKind::WouldBlock
        );
        drop(lock);
        rt.disk()
            .lock(folder.join("lock"))
            .await
            .expect("free again");
    });
}
