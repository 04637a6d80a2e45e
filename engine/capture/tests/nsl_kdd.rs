//! NSL-KDD as the published baselines read it: counts, width, and who sees what.

use std::{collections::BTreeSet, path::PathBuf};

use phalanx_capture::{
    CaptureError, CaptureMap, Dataset, Encoder, LoadOptions, Partition, PartitionError, Records, load,
    read_csv,
};
use phalanx_core::{FlowBatch, Protocol, Streams};

/// The two files, or `None` with a plain word if this machine does not have them.
fn files() -> Option<(PathBuf, PathBuf)> {
    let folder = std::env::var_os("PHALANX_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let file = |name: &str| folder.join("nsl-kdd").join(name);
    let (train, replay) = (file("KDDTrain+_20Percent.txt.gz"), file("KDDTest+.txt.gz"));
    if train.is_file() && replay.is_file() {
        return Some((train, replay));
    }
    eprintln!(
        "SKIPPED: no NSL-KDD under {}; set PHALANX_DATA to the folder that has nsl-kdd/",
        folder.display()
    );
    None
}

fn map() -> CaptureMap {
    CaptureMap::builtin("nsl_kdd").expect("the map is shipped")
}

fn options(partition: Partition, agents: u32) -> Option<LoadOptions> {
    let (train_path, replay_path) = files()?;
    Some(LoadOptions { train_path, replay_path, map: map(), partition, agents, seed: 42 })
}

fn attack_rows(records: &Records) -> usize {
    (0..records.rows()).filter(|row| !records.is_benign(*row)).count()
}

#[test]
fn counts_are_those_of_the_data_readme() {
    let Some((train, replay)) = files() else { return };
    let check = |path: &PathBuf, rows, attacks, classes| {
        let records = read_csv(path, &map()).unwrap();
        assert_eq!((records.rows(), attack_rows(&records)), (rows, attacks));
        // README counts classes with `normal`.
        assert_eq!(records.attacks().len() + 1, classes);
        records
    };
    let train = check(&train, 25_192, 11_743, 22);
    let replay = check(&replay, 22_544, 12_833, 38);
    let known: BTreeSet<&str> = train.attacks().into_iter().collect();
    let unseen = |row: &usize| !replay.is_benign(*row) && !known.contains(replay.label(*row).unwrap());
    assert_eq!((0..replay.rows()).filter(unseen).count(), 3_752);
}

#[test]
fn widths_are_those_of_the_baselines() {
    let Some((train, _)) = files() else { return };
    let records = read_csv(&train, &map()).unwrap();
    let width = |encoder: Encoder| encoder.schema().width();
    assert_eq!(width(Encoder::fit(&records, |row| records.is_benign(row))), 72);
    assert_eq!(width(Encoder::fit(&records, |_| true)), 118);
}

#[test]
fn the_first_row_is_encoded_by_hand() {
    let Some((train, _)) = files() else { return };
    let records = read_csv(&train, &map()).unwrap();
    let mut encoder = Encoder::fit(&records, |row| records.is_benign(row));
    let batch = encoder.encode_rows(&records, &[0, 2]);
    let feature = |row: usize, name: &str| batch.row(row)[encoder.schema().position(name).unwrap()];
    // 0,tcp,ftp_data,SF,491,0,… ,2,2,0.00,…,normal
    assert_eq!(feature(0, "src_bytes"), 492f64.ln_1p_reference());
    assert_eq!(feature(0, "count"), 3f64.ln_1p_reference());
    assert_eq!(feature(0, "duration"), 0.0);
    let ones = ["protocol_type=tcp", "service=ftp_data", "flag=SF"];
    assert!(ones.iter().all(|name| feature(0, name) == 1.0));
    assert_eq!(batch.row(0)[38..].iter().sum::<f32>(), 3.0);
    // The third row is neptune on a private port.
    assert_eq!(encoder.labels()[usize::from(batch.truth()[1].reveal().unwrap())], "neptune");
    assert_eq!(batch.truth()[0].reveal(), None);
    let (ftp_data, tcp) = (batch.keys()[0].port, batch.keys()[0].protocol);
    assert_eq!((ftp_data, tcp), (Some(17), Some(Protocol::TCP)));
    assert_eq!(batch.keys()[0].remote, None);
}

/// `ln` of a whole number, from the standard library: an oracle that the encoder does not use.
trait Reference {
    fn ln_1p_reference(self) -> f32;
}

impl Reference for f64 {
    #[expect(clippy::disallowed_methods, reason = "an oracle that is not libm")]
    fn ln_1p_reference(self) -> f32 {
        self.ln() as f32
    }
}

#[test]
fn both_files_are_encoded_as_another_program_does() {
    let Some((train, replay)) = files() else { return };
    let (train, replay) = (read_csv(&train, &map()).unwrap(), read_csv(&replay, &map()).unwrap());
    let mut encoder = Encoder::fit(&train, |row| train.is_benign(row));
    let benign: Vec<u32> = (0..train.rows() as u32).filter(|row| train.is_benign(*row as usize)).collect();
    // Sums over rows of (column + 1) · feature, by a Python script of gzip, math.log1p and sorted categories.
    for (batch, expected) in [
        (encoder.encode_rows(&train, &benign), 8_150_777.648_233_415),
        (encoder.encode(&replay), 13_837_572.769_739_47),
    ] {
        let weighted =
            |row| (1..).zip(batch.row(row)).map(|(i, x)| f64::from(i) * f64::from(*x)).sum::<f64>();
        let sum: f64 = (0..batch.rows()).map(weighted).sum();
        assert!((sum / expected - 1.0).abs() < 1e-7, "{sum} against {expected}");
    }
}

fn rows(dataset: &Dataset) -> (usize, usize) {
    let sum = |batches: &[FlowBatch]| batches.iter().map(FlowBatch::rows).sum();
    (sum(&dataset.train), sum(&dataset.replay))
}

#[test]
fn every_partition_hands_out_every_row_and_repeats() {
    for partition in [Partition::Iid, Partition::RoundRobin, Partition::ByColumn("service".to_owned())] {
        let Some(options) = options(partition, 10) else { return };
        let dataset = load(&options).unwrap();
        assert_eq!(rows(&dataset), (25_192 - 11_743, 22_544));
        assert_eq!((dataset.schema.width(), dataset.labels.len()), (72, 37));
        assert!(dataset.labels.is_sorted());
        assert!(dataset.untrained.is_empty() && dataset.train.iter().all(|batch| !batch.is_empty()));
        assert!(dataset.train.iter().flat_map(FlowBatch::truth).all(|truth| truth.reveal().is_none()));
        let attacks =
            dataset.replay.iter().flat_map(FlowBatch::truth).filter(|truth| truth.reveal().is_some());
        assert_eq!(attacks.count(), 12_833);
        assert_eq!(load(&options).unwrap(), dataset);
    }
}

#[test]
fn only_iid_depends_on_the_seed() {
    let Some(options) = options(Partition::Iid, 10) else { return };
    let loaded =
        |partition: Partition, seed| load(&LoadOptions { partition, seed, ..options.clone() }).unwrap();
    assert_ne!(loaded(Partition::Iid, 1), loaded(Partition::Iid, 2));
    let by_service = || Partition::ByColumn("service".to_owned());
    assert_eq!(loaded(by_service(), 1), loaded(by_service(), 2));
}

#[test]
fn a_service_belongs_to_one_agent() {
    let Some((train, replay)) = files() else { return };
    let (train, replay) = (read_csv(&train, &map()).unwrap(), read_csv(&replay, &map()).unwrap());
    let partition = Partition::ByColumn("service".to_owned());
    let assignment = partition.assign(&train, &replay, 10, &Streams::from_seed(0)).unwrap();
    let mut owners: std::collections::BTreeMap<&str, BTreeSet<u32>> = std::collections::BTreeMap::new();
    for (records, agents) in [(&train, &assignment.train), (&replay, &assignment.replay)] {
        assert_eq!(records.rows(), agents.len());
        let service = records.categorical().iter().position(|name| name == "service").unwrap();
        for (row, agent) in agents.iter().enumerate() {
            let name = &records.categories(service)[usize::from(records.codes(row)[service])];
            owners.entry(name).or_default().insert(agent.0);
        }
    }
    assert_eq!(owners.len(), 67);
    assert!(owners.values().all(|agents| agents.len() == 1));
    // The most frequent benign services go first, one to each agent.
    for (agent, service) in ["http", "domain_u", "smtp", "ftp_data", "other", "telnet"].iter().enumerate() {
        assert_eq!(owners[service].first(), Some(&(agent as u32)), "{service}");
    }
}

#[test]
fn too_many_agents_for_the_services_is_an_error() {
    let Some(options) = options(Partition::ByColumn("service".to_owned()), 23) else { return };
    let error = load(&options).unwrap_err();
    assert!(matches!(
        error,
        CaptureError::Partition(PartitionError::TooFewCategories { categories: 22, .. })
    ));
    assert_eq!(
        error.to_string(),
        "23 agents cannot divide the 22 values of \"service\" that have benign training rows; use at most 22 \
         agents, or the partition SortedBy or Iid"
    );
    let enough = LoadOptions { agents: 22, ..options };
    assert!(load(&enough).unwrap().untrained.is_empty());
}
