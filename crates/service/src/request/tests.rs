use f5tts_engine::{audio::Format, sampler::grid::Sway};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(input: &Value) -> Result<Parsed, String> {
    Request::parse(input, &ParseOptions::default()).map_err(|error| error.to_string())
}

fn speech(input: &Value) -> SpeechRequest {
    let Request::Speech(speech) = parse(input).unwrap().request else {
        panic!("no speech: {input}")
    };
    *speech
}

#[test]
fn what_is_not_said_is_as_the_contract_says() {
    let speech = speech(&json!({"text": "Hello."}));
    assert_eq!(speech.voice, VoiceChoice::Default);
    assert_eq!((speech.format, speech.sample_rate_hz), (Format::Wav, 22_050));
    assert_eq!((speech.nfe, speech.seed), (None, None));
    assert!(speech.word_timings && !speech.is_async);
    assert_eq!(speech.options, f5tts_engine::SpeakOptions::default());
}

#[test]
fn steps_beat_quality() {
    let steps = |input| speech(&input).nfe.map(|nfe| nfe.get());
    assert_eq!(steps(json!({"text": "a", "quality": "fast"})), Some(7));
    assert_eq!(steps(json!({"text": "a", "quality": "balanced"})), Some(16));
    assert_eq!(steps(json!({"text": "a", "quality": "Best"})), Some(32));
    assert_eq!(steps(json!({"text": "a", "quality": "fast", "nfe_step": 5})), Some(5));
}

#[test]
fn no_sway_is_not_the_default_sway() {
    let sway = |input| speech(&input).options.sway;
    assert_eq!(sway(json!({"text": "a"})), Sway::DEFAULT);
    assert_eq!(sway(json!({"text": "a", "sway_sampling_coef": null})), Sway::NONE);
}

#[test]
fn a_voice_is_a_name_or_a_url() {
    let voice = |input| speech(&input).voice;
    let anna = VoiceName::try_from("anna").unwrap();
    assert_eq!(voice(json!({"text": "a", "local_voice": "anna"})), VoiceChoice::Named(anna));
    assert_eq!(voice(json!({"text": "a", "local_voice": ""})), VoiceChoice::Default);
    let url = "https://example.com/a.wav".to_owned();
    assert_eq!(
        voice(json!({"text": "a", "local_voice": url, "ref_text": "Hi."})),
        VoiceChoice::Url { url, transcript: Some("Hi.".to_owned()) }
    );
}

#[test]
fn a_transcript_without_a_recording_is_told() {
    let parsed = parse(&json!({"text": "a", "local_voice": "anna", "ref_text": "Hi."})).unwrap();
    assert_eq!(
        parsed.warnings,
        ["`ref_text` was ignored: it belongs to a recording given by URL"]
    );
}

#[test]
fn unknown_fields_are_told() {
    let parsed = parse(&json!({"text": "a", "timing_method": "whisper"})).unwrap();
    assert_eq!(parsed.warnings, ["the field \"timing_method\" is not known and was ignored"]);
}

#[test]
fn of_many_unknown_fields_some_are_told() {
    let mut input = json!({"text": "a"});
    for index in 0..25 {
        input[format!("x{index:02}")] = 1.into();
    }
    let warnings = parse(&input).unwrap().warnings;
    assert_eq!(warnings.len(), 21);
    assert_eq!(warnings[20], "5 other fields are not known and were ignored");
}

#[test]
fn every_format_has_a_rate_that_need_not_be_said() {
    for format in Format::ALL {
        speech(&json!({"text": "a", "output_format": format.name()}));
    }
}

/// Each field of each operation: wrong type, out of range, missing, path-like.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_field_says_what_it_may_be() {
    for (input, expected) in [
        (json!("text"), "`input` is \"text\", allowed is an object"),
        (json!({}), "`text` is missing: it must be a text of 1 to 20000 characters"),
        (json!({"text": 5}), "`text` is 5, allowed is a text of 1 to 20000 characters"),
        (
            json!({"text": " "}),
            "`text` is \" \", allowed is a text of 1 to 20000 characters: the text is empty",
        ),
        (
            json!({"text": "a", "speed": 3}),
            "`speed` is 3, allowed is a number from 0.5 to 2",
        ),
        (
            json!({"text": "a", "speed": "fast"}),
            "`speed` is \"fast\", allowed is a number from 0.5 to 2",
        ),
        (
            json!({"text": "a", "seed": -1}),
            "`seed` is -1, allowed is a whole number from 0 to 9007199254740991",
        ),
        (
            json!({"text": "a", "nfe_step": 129}),
            "`nfe_step` is 129, allowed is a whole number from 1 to 128",
        ),
        (
            json!({"text": "a", "quality": "ultra"}),
            "`quality` is \"ultra\", allowed is fast, balanced or best",
        ),
        (
            json!({"text": "a", "cfg_strength": 11}),
            "`cfg_strength` is 11, allowed is a number from 0 to 10",
        ),
        (
            json!({"text": "a", "sway_sampling_coef": -2}),
            "`sway_sampling_coef` is -2, allowed is a number from -1 to 1",
        ),
        (
            json!({"text": "a", "cross_fade_duration": -0.1}),
            "`cross_fade_duration` is -0.1, allowed is a number from 0 to 1",
        ),
        (
            json!({"text": "a", "duration_seconds": 0}),
            "`duration_seconds` is 0, allowed is a number from 0.1 to 3600",
        ),
        (
            json!({"text": "a", "remove_silence": 1}),
            "`remove_silence` is 1, allowed is true or false",
        ),
        (
            json!({"text": "a", "multi_voice": "no"}),
            "`multi_voice` is \"no\", allowed is true or false",
        ),
        (
            json!({"text": "a", "return_word_timings": "yes"}),
            "`return_word_timings` is \"yes\", allowed is true or false",
        ),
        (
            json!({"text": "a", "timing_format": "sub"}),
            "`timing_format` is \"sub\", allowed is srt, vtt, ass, csv, json or compact, or a list of these",
        ),
        (
            json!({"text": "a", "timing_format": ["srt", 1]}),
            "`timing_format` is a list of 2, allowed is srt, vtt, ass, csv, json or compact, or a list of these",
        ),
        (
            json!({"text": "a", "sample_rate": 1}),
            "`sample_rate` is 1, allowed is a whole number from 8000 to 48000",
        ),
        (
            json!({"text": "a", "return_audio": "ftp"}),
            "`return_audio` is \"ftp\", allowed is url or base64",
        ),
        (json!({"text": "a", "async": 1}), "`async` is 1, allowed is true or false"),
        (json!({"text": "a", "model": 1}), "`model` is 1, allowed is a text"),
        (json!({"text": "a", "ref_text": 1}), "`ref_text` is 1, allowed is a text"),
        (
            json!({"text": "a", "idempotency_key": ""}),
            "`idempotency_key` is \"\", allowed is a text of 1 to 255 characters",
        ),
        (
            json!({"endpoint": "sing"}),
            "`endpoint` is \"sing\", allowed is tts, upload, status, result, list_voices, delete_voice, download, cancel or delete_job",
        ),
        (json!({"endpoint": 1}), "`endpoint` is 1, allowed is a text"),
        (json!({"endpoint": "result"}), "`job_id` is missing: it must be the id of a job"),
        (json!({"endpoint": "status", "job_id": 1}), "`job_id` is 1, allowed is a text"),
        (
            json!({"endpoint": "upload"}),
            "`voice_name` is missing: it must be a name such as `anna.wav`",
        ),
        (
            json!({"endpoint": "upload", "voice_name": "a"}),
            "`file` is missing: it must be the recording in base64; or give `url_file` with its URL",
        ),
        (
            json!({"endpoint": "delete_voice"}),
            "`voice_name` is missing: it must be the name of a voice",
        ),
        (
            json!({"endpoint": "download", "job_id": "a", "type": "video"}),
            "`type` is \"video\", allowed is audio or timing",
        ),
        (
            json!({"endpoint": "download", "job_id": "a", "type": "timing", "format": "mp3"}),
            "`format` is \"mp3\", allowed is srt, vtt, ass, csv or json",
        ),
    ] {
        assert_eq!(parse(&input).unwrap_err(), expected, "{input}");
    }
    let path_like = [
        (
            json!({"text": "a", "local_voice": "../x"}),
            "`local_voice`: `voice_name` is `../x`, which ",
        ),
        (
            json!({"endpoint": "upload", "voice_name": "a/b"}),
            "`voice_name` is `a/b`, which ",
        ),
        (json!({"endpoint": "cancel", "job_id": "../x"}), "`job_id` is `../x`, which "),
    ];
    for (input, start) in path_like {
        let error = parse(&input).unwrap_err();
        assert!(error.starts_with(start), "{error}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        prop::sample::select(vec!["tts", "upload", "wav", "a", "../x", "best", "base64"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::from))
}

proptest! {
    /// Whatever comes in, the answer is a request or one short sentence.
    #[test]
    fn any_input_is_a_request_or_a_short_error(
        fields in prop::collection::btree_map(
            prop::sample::select(vec![
                "text", "endpoint", "speed", "local_voice", "ref_text", "timing_format", "seed",
                "quality", "nfe_step", "sway_sampling_coef", "output_format", "sample_rate",
                "voice_name", "file", "url_file", "job_id", "type", "format", "multi_voice", "x",
            ]),
            any_json(),
            0..8,
        )
    ) {
        let input: Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        match parse(&Value::Object(input)) {
            Ok(parsed) => prop_assert!(parsed.warnings.iter().all(|line| line.len() < 400)),
            Err(error) => prop_assert!(error.len() < 600, "{}", error),
        }
    }
}
