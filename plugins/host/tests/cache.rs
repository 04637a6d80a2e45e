//! Compiled plugins on disk: nothing about them reaches a result, and nothing that others wrote is run.
#![cfg(unix)]

mod rows;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use phalanx_core::AgentId;
use phalanx_detect::{Detector, HostedDetector};
use phalanx_plugin_guests::Guest;
use phalanx_plugin_host::{
    BreakerConfig, CacheError, CacheNote, CodeCache, Config, Isolation, Limits, NanMode, Plugin,
    PluginEngine, PluginFactory,
};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Scores of a plugin that learned something.
fn scores(plugin: Plugin) -> Vec<u64> {
    let factory = PluginFactory::new(plugin, Config::new(), Isolation::Live, BreakerConfig::default());
    let mut detector = factory.unwrap().detector(AgentId(3), 42, &rows::schema(2));
    detector.fit(&rows::rows(1, 64, 2)).unwrap();
    let mut scores = Vec::new();
    detector.score(&rows::rows(2, 32, 2), &mut scores).unwrap();
    scores.into_iter().map(f64::to_bits).collect()
}

fn load(cache: Option<&CodeCache>, nan: NanMode) -> Plugin {
    let engine = PluginEngine::new(nan).with_cache(cache.cloned());
    Plugin::load(&engine, &Guest::mean().build(), None, Limits::default()).unwrap()
}

/// What became of the code, in a word.
fn outcome(cache: &CodeCache) -> Vec<&'static str> {
    let word = |note: &CacheNote| match note {
        CacheNote::Found { .. } => "found",
        CacheNote::Kept { .. } => "kept",
        CacheNote::Spoilt { .. } => "spoilt",
        CacheNote::NotKept { .. } => "not kept",
    };
    cache.take_notes().iter().map(word).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn scores_do_not_depend_on_it() {
    let folder = folder();
    let without = scores(load(None, NanMode::Canonical));
    let cache = CodeCache::open(&folder.path().join("a/b")).unwrap();
    let mode = fs::metadata(cache.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else looks in");
    assert_eq!(scores(load(Some(&cache), NanMode::Canonical)), without);
    assert_eq!(outcome(&cache), ["kept"]);
    assert_eq!(files(cache.folder()).len(), 1);
    assert_eq!(scores(load(Some(&cache), NanMode::Canonical)), without);
    assert_eq!(outcome(&cache), ["found"]);
    // What is no plugin is refused alike, and not kept.
    let engine = PluginEngine::new(NanMode::Canonical);
    let no_plugin = &Guest::mean().build()[..200];
    let refused =
        |engine: &PluginEngine| Plugin::load(engine, no_plugin, None, Limits::default()).unwrap_err();
    assert_eq!(refused(&engine.clone().with_cache(Some(cache.clone()))), refused(&engine));
    assert_eq!(files(cache.folder()).len(), 1);
}

#[test]
fn code_of_another_nan_mode_is_not_taken() {
    let folder = folder();
    let cache = CodeCache::open(folder.path()).unwrap();
    load(Some(&cache), NanMode::Canonical);
    let canonical = files(folder.path()).remove(0);
    load(Some(&cache), NanMode::Reject);
    assert_eq!(outcome(&cache), ["kept", "kept"]);
    let reject = files(folder.path()).into_iter().find(|file| *file != canonical).unwrap();
    // wasmtime itself would take it.
    fs::copy(&canonical, &reject).unwrap();
    load(Some(&cache), NanMode::Reject);
    assert_eq!(outcome(&cache), ["spoilt", "kept"]);
    load(Some(&cache), NanMode::Reject);
    assert_eq!(outcome(&cache), ["found"]);
    assert_ne!(fs::read(&canonical).unwrap(), fs::read(&reject).unwrap());
}

#[test]
fn a_spoilt_file_is_made_anew() {
    let folder = folder();
    let cache = CodeCache::open(folder.path()).unwrap();
    let expected = scores(load(Some(&cache), NanMode::Canonical));
    let file = files(folder.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    outcome(&cache);
    let flipped = |position: usize| {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x10;
        bytes
    };
    let half = whole.len() / 2;
    let spoilt =
        [vec![], b"rubbish".to_vec(), whole[..half].to_vec(), flipped(0), flipped(75), flipped(half)];
    for bytes in spoilt {
        fs::write(&file, bytes).unwrap();
        assert_eq!(scores(load(Some(&cache), NanMode::Canonical)), expected);
        assert_eq!(outcome(&cache), ["spoilt", "kept"]);
        assert_eq!(fs::read(&file).unwrap(), whole, "compiled alike again");
    }
    // A link in its place is not followed, and is replaced.
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    load(Some(&cache), NanMode::Canonical);
    assert_eq!(outcome(&cache), ["spoilt", "kept"]);
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    // A folder in its place cannot be: the plugin runs all the same.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(scores(load(Some(&cache), NanMode::Canonical)), expected);
    assert_eq!(outcome(&cache), ["spoilt", "not kept"]);
    // As does one whose folder is gone.
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(scores(load(Some(&cache), NanMode::Canonical)), expected);
    assert_eq!(outcome(&cache), ["not kept"]);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_others_can_write_to_is_refused() {
    let folder = folder();
    let cache = folder.path().join("cache");
    CodeCache::open(&cache).unwrap();
    for mode in [0o777, 0o770, 0o702] {
        set_mode(&cache, mode);
        let error = CodeCache::open(&cache).unwrap_err();
        assert!(matches!(error, CacheError::Writable { mode: seen, .. } if seen == mode), "{error}");
        let remedy = format!("chmod go-w {}", cache.canonicalize().unwrap().display());
        assert!(error.to_string().contains(&remedy), "{error}");
    }
    set_mode(&cache, 0o1777);
    let error = CodeCache::open(&cache).unwrap_err();
    assert!(
        matches!(error, CacheError::Everybodys { .. }) && !error.to_string().contains("chmod"),
        "{error}"
    );
    set_mode(&cache, 0o755);
    CodeCache::open(&cache).unwrap();
    // Whoever can rename the folder can put another in its place, unless the bit of /tmp forbids that.
    set_mode(folder.path(), 0o777);
    let error = CodeCache::open(&cache).unwrap_err();
    assert!(
        matches!(&error, CacheError::Writable { folder: named, .. } if named.as_path() != cache),
        "{error}"
    );
    set_mode(folder.path(), 0o1777);
    CodeCache::open(&cache).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for no_folder in ["file", "file/below"] {
        let error = CodeCache::open(&folder.path().join(no_folder)).unwrap_err();
        assert!(matches!(error, CacheError::Io { .. }), "{error}");
    }
}

#[test]
fn a_file_that_others_could_have_written_is_not_run() {
    let folder = folder();
    let cache = CodeCache::open(folder.path()).unwrap();
    load(Some(&cache), NanMode::Canonical);
    let file = files(folder.path()).remove(0);
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    set_mode(&file, 0o666);
    load(Some(&cache), NanMode::Canonical);
    assert_eq!(outcome(&cache), ["kept", "spoilt", "kept"]);
    assert_eq!(mode(), 0o600);
    // Only root can give files away.
    if std::os::unix::fs::chown(&file, Some(12345), None).is_err() {
        eprintln!("skipped: files and folders of other users, which only root can make");
        return;
    }
    load(Some(&cache), NanMode::Canonical);
    assert_eq!(outcome(&cache), ["spoilt", "kept"]);
    let below = folder.path().join("below");
    CodeCache::open(&below).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(12345), None).unwrap();
    for folder in [folder.path(), &below] {
        let error = CodeCache::open(folder).unwrap_err();
        assert!(matches!(error, CacheError::Foreign { owner: 12345, .. }), "{error}");
    }
}

#[test]
fn many_write_at_once() {
    let folder = folder();
    let expected = scores(load(None, NanMode::Canonical));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let cache = CodeCache::open(folder.path()).unwrap();
                for _ in 0..4 {
                    assert_eq!(scores(load(Some(&cache), NanMode::Canonical)), expected);
                    assert!(!outcome(&cache).contains(&"spoilt"), "half a file was seen");
                    // So that there is always someone who writes.
                    let whole = |file: &PathBuf| !file.to_string_lossy().contains(".part-");
                    files(cache.folder()).iter().filter(|file| whole(file)).for_each(|file| {
                        let _ = fs::remove_file(file);
                    });
                }
            });
        }
    });
    let cache = CodeCache::open(folder.path()).unwrap();
    load(Some(&cache), NanMode::Canonical);
    load(Some(&cache), NanMode::Canonical);
    assert_eq!(outcome(&cache).last(), Some(&"found"));
    assert_eq!(files(folder.path()).len(), 1, "nothing is left over");
}
