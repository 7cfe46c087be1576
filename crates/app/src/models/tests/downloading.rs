//! Models that come from a hub, over a network that may break.

use std::sync::atomic::{AtomicU64, Ordering};

use f5tts_service::storage::Secret;

use super::{
    super::{
        catalogue::KnownFile,
        commands::{LocatedFile, check, fetch_missing},
        fake_hub::{FakeHub, Faults},
    },
    *,
};

const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const SHA256: &str = "74e7e5bb9d22d6db26bf76946d40fff3ea9f0346b884fd0694920fccfad15e33";

static MODEL: KnownModel = KnownModel {
    name: "test",
    kind: Kind::Vocoder,
    repository: "org/name",
    licence: "MIT",
    terms: "a test",
    about: "a test",
    preset: None,
    files: &[KnownFile {
        path: "folder/model.bin",
        role: Role::Checkpoint,
        bytes: Some(36),
        sha256: Some(SHA256),
    }],
};

/// Counts what it is told.
#[derive(Debug, Default)]
struct Counter {
    models: Vec<&'static str>,
    sizes: Vec<u64>,
    advanced: AtomicU64,
    restarts: usize,
    finished: usize,
    /// After how many bytes to stop.
    limit: Option<u64>,
}

impl DownloadObserver for Counter {
    fn model(&mut self, model: &KnownModel) {
        self.models.push(model.name);
    }

    fn start(&mut self, _file: &KnownFile, bytes: u64) {
        self.sizes.push(bytes);
    }

    fn advance(&mut self, bytes: u64) {
        self.advanced.fetch_add(bytes, Ordering::Relaxed);
    }

    fn restart(&mut self) {
        self.advanced.store(0, Ordering::Relaxed);
        self.restarts += 1;
    }

    fn finish(&mut self, _file: &KnownFile) {
        self.finished += 1;
    }

    fn is_stopped(&self) -> bool {
        self.limit
            .is_some_and(|limit| self.advanced.load(Ordering::Relaxed) >= limit)
    }
}

/// A machine that knows only this hub.
fn machine(hub: &FakeHub) -> Machine {
    let mut machine = Machine::new();
    machine.settings.hf_endpoint = hub.endpoint();
    machine
}

fn fetch(machine: &Machine) -> Result<Vec<FetchedFile>, ModelsError> {
    fetch_missing(&MODEL, &machine.settings, &mut ())
}

/// The ranges of the requests for content.
fn ranges(hub: &FakeHub) -> Vec<Option<String>> {
    let requests = hub.requests().into_iter();
    let content = requests.filter(|request| request.line.contains("/content"));
    content.map(|request| request.range).collect()
}

#[test]
fn a_file_arrives_in_the_layout_of_the_hub() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults::default());
    let machine = machine(&hub);
    let mut counter = Counter::default();
    let fetched = fetch_missing(&MODEL, &machine.settings, &mut counter).unwrap();
    let repository = machine.path("hf/hub/models--org--name");
    let place = repository.join("snapshots/0123456789abcdef/folder/model.bin");
    assert_eq!(fetched.len(), 1);
    assert!(!fetched[0].was_here && fetched[0].path == place);
    assert_eq!(fs::read(&place).unwrap(), CONTENT);
    assert_eq!(fs::read_to_string(repository.join("refs/main")).unwrap(), "0123456789abcdef");
    assert_eq!(fs::read(repository.join("blobs").join(SHA256)).unwrap(), CONTENT);
    #[cfg(unix)]
    {
        let link = format!("../../../blobs/{SHA256}");
        assert_eq!(fs::read_link(&place).unwrap(), Path::new(&link));
    }
    assert_eq!((counter.models, counter.sizes), (vec!["test"], vec![36]));
    assert_eq!((counter.advanced.into_inner(), counter.finished), (36, 1));
    // The second time, nothing is asked.
    let asked = hub.requests().len();
    let mut counter = Counter::default();
    let again = fetch_missing(&MODEL, &machine.settings, &mut counter).unwrap();
    assert!(again[0].was_here && counter.models.is_empty());
    assert_eq!(hub.requests().len(), asked);
    let report = check(&MODEL, &MODEL.files[0], Some(&place)).unwrap();
    assert_eq!((report.state, report.sha256.as_deref()), (FileState::Intact, Some(SHA256)));
}

#[test]
fn a_connection_that_breaks_is_gone_on_with() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults { cuts: vec![10, 15], ..Faults::default() });
    let machine = machine(&hub);
    let fetched = fetch(&machine).unwrap();
    assert_eq!(fs::read(&fetched[0].path).unwrap(), CONTENT);
    assert_eq!(
        ranges(&hub),
        [
            None,
            Some("bytes=10-".to_owned()),
            Some("bytes=25-".to_owned())
        ]
    );
}

#[test]
fn a_later_call_goes_on_where_an_earlier_one_ended() {
    let faults = Faults { cuts: vec![10, 0, 0, 0], ..Faults::default() };
    let hub = FakeHub::start(CONTENT, SHA256, faults);
    let machine = machine(&hub);
    let message = chain(&fetch(&machine).unwrap_err());
    assert!(
        message.starts_with("the download of `folder/model.bin` broke off at 10 of 36 bytes"),
        "{message}"
    );
    assert!(fetch_place(&machine).is_none());
    hub.set(Faults::default());
    let mut counter = Counter::default();
    fetch_missing(&MODEL, &machine.settings, &mut counter).unwrap();
    assert_eq!(ranges(&hub).last().unwrap().as_deref(), Some("bytes=10-"));
    assert_eq!((counter.advanced.into_inner(), counter.restarts), (36, 0));
}

/// Where the file is, if it is complete.
fn fetch_place(machine: &Machine) -> Option<PathBuf> {
    let place =
        machine.path("hf/hub/models--org--name/snapshots/0123456789abcdef/folder/model.bin");
    place.is_file().then_some(place)
}

#[test]
fn a_server_that_cannot_resume_sends_all_again() {
    let faults = Faults { cuts: vec![10], cannot_resume: true, ..Faults::default() };
    let hub = FakeHub::start(CONTENT, SHA256, faults);
    let machine = machine(&hub);
    let mut counter = Counter::default();
    let fetched = fetch_missing(&MODEL, &machine.settings, &mut counter).unwrap();
    assert_eq!(fs::read(&fetched[0].path).unwrap(), CONTENT);
    assert_eq!((counter.advanced.into_inner(), counter.restarts), (36, 1));
}

#[test]
fn a_damaged_file_is_removed() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults { damages: true, ..Faults::default() });
    let machine = machine(&hub);
    let message = chain(&fetch(&machine).unwrap_err());
    assert!(
        message.contains("arrived damaged and was removed: its SHA-256 is "),
        "{message}"
    );
    assert!(message.ends_with(&format!("instead of {SHA256}")), "{message}");
    assert!(fetch_place(&machine).is_none());
    let blobs = fs::read_dir(machine.path("hf/hub/models--org--name/blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
    hub.set(Faults::default());
    assert!(fetch(&machine).is_ok());
}

#[test]
fn another_file_than_the_known_one_is_not_even_fetched() {
    let other = "00000000000000000000000000000000000000000000000000000000000000ff";
    let hub = FakeHub::start(CONTENT, other, Faults::default());
    assert!(
        chain(&fetch(&machine(&hub)).unwrap_err())
            .contains("the hub has another `folder/model.bin`")
    );
    assert_eq!(ranges(&hub), []);
    let hub = FakeHub::start(&CONTENT[1..], "0a1b", Faults::default());
    assert!(chain(&fetch(&machine(&hub)).unwrap_err()).contains("the hub has another"));
    assert_eq!(ranges(&hub), []);
}

#[test]
fn files_that_git_names_are_checked_by_the_known_digest() {
    let hub = FakeHub::start(CONTENT, "0a1b2c", Faults::default());
    let machine = machine(&hub);
    assert_eq!(fs::read(&fetch(&machine).unwrap()[0].path).unwrap(), CONTENT);
    let hub = FakeHub::start(CONTENT, "0a1b2c", Faults { damages: true, ..Faults::default() });
    assert!(chain(&fetch(&self::machine(&hub)).unwrap_err()).contains("arrived damaged"));
}

#[test]
fn the_token_stays_with_the_hub() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults::default());
    let mut machine = machine(&hub);
    machine.settings.hf_token = Some(Secret::new("secret"));
    fetch(&machine).unwrap();
    for request in hub.requests() {
        // The content comes from another host.
        let expected = (!request.line.contains("/content")).then(|| "Bearer secret".to_owned());
        assert_eq!(request.authorization, expected, "{}", request.line);
    }
    assert!(!format!("{:?}", machine.settings).contains("secret"));
}

#[test]
fn a_renamed_repository_is_followed() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults { is_renamed: true, ..Faults::default() });
    let machine = machine(&hub);
    assert!(fetch(&machine).is_ok());
    let lines: Vec<String> = hub
        .requests()
        .into_iter()
        .map(|request| request.line)
        .collect();
    assert_eq!(lines[0], "HEAD /org/name/resolve/main/folder/model.bin HTTP/1.1");
    assert_eq!(lines[1], "HEAD /new/name/resolve/main/folder/model.bin HTTP/1.1");
}

#[test]
fn names_from_the_network_do_not_leave_the_cache() {
    for etag in ["../../../evil", "", "a/b", ".."] {
        let hub = FakeHub::start(CONTENT, SHA256, Faults { etag: Some(etag), ..Faults::default() });
        let message = chain(&fetch(&machine(&hub)).unwrap_err());
        assert!(message.contains("sent no valid entity tag"), "{message}");
    }
}

#[test]
fn refusals_tell_what_to_do() {
    for (status, advice) in [
        (401, "set HF_TOKEN"),
        (404, "the file was moved or removed"),
        (429, "wait some minutes"),
        (503, "try again later"),
    ] {
        let hub =
            FakeHub::start(CONTENT, SHA256, Faults { status: Some(status), ..Faults::default() });
        let message = chain(&fetch(&machine(&hub)).unwrap_err());
        assert!(
            message.contains(&format!("answered {status} for `folder/model.bin`")),
            "{message}"
        );
        assert!(message.contains(advice), "{message}");
    }
}

#[test]
fn a_stopped_download_is_kept() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults { cuts: vec![10], ..Faults::default() });
    let machine = machine(&hub);
    let mut counter = Counter { limit: Some(10), ..Counter::default() };
    let error = fetch_missing(&MODEL, &machine.settings, &mut counter).unwrap_err();
    assert!(matches!(error, ModelsError::Stopped { .. }), "{error}");
    let part = machine.path(&format!("hf/hub/models--org--name/blobs/{SHA256}.incomplete"));
    assert_eq!(fs::read(part).unwrap(), &CONTENT[..10]);
    assert!(fetch(&machine).is_ok());
    assert_eq!(ranges(&hub).last().unwrap().as_deref(), Some("bytes=10-"));
}

#[test]
fn two_processes_do_not_write_one_file() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults::default());
    let machine = machine(&hub);
    let lock = machine.write(&format!("hf/hub/.locks/models--org--name/{SHA256}.lock"), b"");
    let other = File::open(lock).unwrap();
    other.lock().unwrap();
    assert!(chain(&fetch(&machine).unwrap_err()).starts_with("another process is downloading"));
    other.unlock().unwrap();
    assert!(fetch(&machine).is_ok());
}

#[test]
fn what_is_damaged_or_cut_short_on_disk_can_be_fetched_again() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults::default());
    let machine = machine(&hub);
    let place = fetch(&machine).unwrap().remove(0).path;
    let blob = place.canonicalize().unwrap();
    fs::write(&blob, &CONTENT[..20]).unwrap();
    assert!(!fetch(&machine).unwrap()[0].was_here);
    assert_eq!(fs::read(&place).unwrap(), CONTENT);
    fs::write(&blob, CONTENT.to_ascii_uppercase()).unwrap();
    let report = check(&MODEL, &MODEL.files[0], Some(&place)).unwrap();
    assert_eq!((report.state, report.path.as_ref()), (FileState::Damaged, Some(&blob)));
    fs::remove_file(report.path.unwrap()).unwrap();
    assert!(!fetch(&machine).unwrap()[0].was_here);
    assert_eq!(fs::read(&place).unwrap(), CONTENT);
}

#[test]
fn offline_nothing_is_asked() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults::default());
    let mut machine = machine(&hub);
    machine.settings.hf_hub_offline = true;
    let message = chain(&get("F5TTS_v1_Base", &machine.settings, &mut ()).unwrap_err());
    assert!(
        message.starts_with(
            "`F5TTS_v1_Base` cannot be fetched because HF_HUB_OFFLINE is set; put these"
        )
    );
    assert!(message.contains("`vocoder/config.yaml` from "), "{message}");
    assert_eq!(hub.requests(), []);
    machine.fill("hf/hub", "vocos-mel-24khz");
    assert!(get("vocos-mel-24khz", &machine.settings, &mut ()).is_ok());
}

#[test]
fn without_a_network_the_files_are_named() {
    let mut machine = Machine::new();
    // A port that was just free.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    machine.settings.hf_endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let message = chain(&get("F5TTS_v1_Base", &machine.settings, &mut ()).unwrap_err());
    assert!(message.starts_with("could not reach http://127.0.0.1:"), "{message}");
    assert!(message.contains("put these files into a directory DIR"), "{message}");
    machine.settings = HubSettings::default();
    let message = chain(&get("F5TTS_v1_Base", &machine.settings, &mut ()).unwrap_err());
    assert!(message.starts_with("there is no directory for models"), "{message}");
}

#[test]
fn a_check_tells_the_states_of_files_apart() {
    let machine = Machine::new();
    let states = |name: &str| -> Vec<FileState> {
        let checks = verify(name, &machine.settings).unwrap();
        checks.iter().map(|check| check.state).collect()
    };
    assert_eq!(states("F5TTS_Base"), [FileState::Missing; 4]);
    // Of the right size, but empty.
    machine.fill("hf/hub", "vocos-mel-24khz");
    assert_eq!(states("vocos-mel-24khz"), [FileState::Damaged; 2]);
    machine.write("hf/hub/models--SWivid--F5-TTS/snapshots/1/F5TTS_Base/vocab.txt", b" \n");
    assert_eq!(states("F5TTS_Base")[1], FileState::Unverified);
    let blob = "hf/hub/models--SWivid--F5-TTS/blobs/36a9e7f1c95b82ffb99743e0c5c4ce95d83c9a430aac59f84ef3cbfab6145068";
    let blob = machine.write(blob, b" ");
    let place = machine.path("hf/hub/models--SWivid--F5-TTS/snapshots/1/F5TTS_Base/vocab.txt");
    fs::remove_file(&place).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&blob, &place).unwrap();
        assert_eq!(states("F5TTS_Base")[1], FileState::Intact);
        fs::write(&blob, "x").unwrap();
        assert_eq!(states("F5TTS_Base")[1], FileState::Damaged);
    }
}

#[test]
fn a_whisper_model_comes_from_any_repository_and_once() {
    let hub = FakeHub::start(CONTENT, SHA256, Faults::default());
    let machine = machine(&hub);
    let name = "openai/whisper-tiny";
    let fetched = get(name, &machine.settings, &mut ()).unwrap();
    let files: Vec<_> = fetched.iter().map(|file| file.file).collect();
    let expected = [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "model.safetensors",
    ];
    assert_eq!(files, expected);
    let directory = machine.path("hf/hub/models--openai--whisper-tiny/snapshots/0123456789abcdef");
    let paths = path(name, &machine.settings).unwrap().files;
    let is_there = |file: &LocatedFile| file.path.parent() == Some(&directory);
    assert!(paths.iter().all(is_there), "{paths:?}");
    let again = get(name, &machine.settings, &mut ()).unwrap();
    assert!(again.iter().all(|file| file.was_here));
}

#[test]
fn a_repository_that_is_not_there_or_may_not_be_asked_says_so() {
    let missing = Faults { status: Some(404), ..Faults::default() };
    let hub = FakeHub::start(CONTENT, SHA256, missing);
    let mut machine = machine(&hub);
    let message = get("openai/whisper-huge", &machine.settings, &mut ())
        .unwrap_err()
        .to_string();
    assert!(message.contains("answered 404 for `config.json`"), "{message}");
    machine.settings.hf_hub_offline = true;
    let message = get("openai/whisper-huge", &machine.settings, &mut ())
        .unwrap_err()
        .to_string();
    assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
    assert!(message.contains("`--asr-model DIR`"), "{message}");
}
