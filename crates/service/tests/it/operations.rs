//! What clients send and get.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use f5tts_service::{
    ErrorCode,
    storage::{AudioExtension, MemoryStorage, ObjectKey, Storage, TimingExtension},
};
use serde_json::{Value, json};

use crate::fake::{Tone, ask, id, service, voice};

fn setting() -> (Arc<dyn Storage>, Arc<f5tts_service::Service>) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let service = service(&storage, &Tone::new(Duration::ZERO));
    (storage, service)
}

#[tokio::test]
async fn speech_has_everything_that_the_contract_names() {
    let (storage, service) = setting();
    let answer = ask(&service, "a", json!({"text": "Hello there.", "seed": 42}))
        .await
        .unwrap();
    for (field, value) in [
        ("job_id", json!("a")),
        ("status", json!("COMPLETED")),
        ("content_type", json!("audio/wav")),
        ("duration", json!(0.6)),
        ("sample_rate", json!(22_050)),
        ("word_count", json!(2)),
        ("seed", json!(42)),
        ("voice", json!("rms")),
        ("text", json!("Hello there.")),
        ("model", json!("tone")),
    ] {
        assert_eq!(answer[field], value, "{field}");
    }
    assert!(
        answer["voice_version"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    for time in [
        "queue_ms",
        "load_ms",
        "voice_ms",
        "synthesis_ms",
        "vocoder_ms",
        "alignment_ms",
        "encode_ms",
        "store_ms",
        "rtf",
    ] {
        assert!(answer["metrics"][time].is_number(), "{time}");
    }
    let key = ObjectKey::Output { job: id("a"), extension: AudioExtension::Wav };
    let audio = storage.get(&key, 1 << 20).await.unwrap().bytes;
    let recording = f5tts_engine::audio::decode(&audio, &Default::default()).unwrap();
    assert_eq!(recording.format().sample_rate_hz, 22_050);
    assert!(
        answer["audio_url"]
            .as_str()
            .unwrap()
            .contains("output/a.wav"),
        "{answer}"
    );
}

#[tokio::test]
async fn words_have_times_and_files() {
    let (storage, service) = setting();
    let input = json!({"text": "Hello there.", "timing_format": ["vtt", "srt"]});
    let answer = ask(&service, "a", input).await.unwrap();
    assert_eq!(
        answer["word_timings"],
        json!([
            {"word": "Hello", "start_time": 0.0, "end_time": 0.3, "confidence": 0.9},
            {"word": "there.", "start_time": 0.3, "end_time": 0.6, "confidence": 0.9},
        ])
    );
    assert_eq!(
        (&answer["timings"]["status"], &answer["timing_confidence"]),
        (&json!("aligned"), &json!(0.9))
    );
    assert_eq!((&answer["timing_format"], &answer["word_count"]), (&json!("vtt"), &json!(2)));
    let files: Vec<_> = answer["timing_files"].as_object().unwrap().keys().collect();
    assert_eq!(files, ["ass", "csv", "json", "srt", "vtt"]);
    let key = ObjectKey::Timings { job: id("a"), extension: TimingExtension::Srt };
    let file = storage.get(&key, 1 << 20).await.unwrap().bytes;
    assert!(
        String::from_utf8(file.to_vec())
            .unwrap()
            .contains("00:00:00,000 --> 00:00:00,600")
    );
    let request = json!({"endpoint": "download", "job_id": "a", "type": "timing", "format": "vtt"});
    assert_eq!(ask(&service, "d", request).await.unwrap()["filename"], "a.vtt");
}

#[tokio::test]
async fn words_that_are_not_found_are_never_invented() {
    let (_, service) = setting();
    let input = json!({"text": "An unheard word.", "timing_format": "srt"});
    let answer = ask(&service, "a", input).await.unwrap();
    assert_eq!(answer["word_timings"], Value::Null);
    assert_eq!(answer["timings"], json!({"status": "failed", "reason": "the audio is silent"}));
    assert_eq!(answer["warnings"], json!(["there are no word timings: the audio is silent"]));
    assert_eq!(answer.get("timing_files"), None);
}

#[tokio::test]
async fn audio_may_come_in_the_answer() {
    let (storage, service) = setting();
    let input = json!({"text": "Hello.", "return_audio": "base64", "output_format": "flac"});
    let answer = ask(&service, "a", input).await.unwrap();
    let key = ObjectKey::Output { job: id("a"), extension: AudioExtension::Flac };
    let stored = storage.get(&key, 1 << 20).await.unwrap().bytes;
    let given = BASE64_STANDARD
        .decode(answer["audio_base64"].as_str().unwrap())
        .unwrap();
    assert_eq!(given, stored);
    assert_eq!(answer.get("audio_url"), None);
}

async fn upload(service: &Arc<f5tts_service::Service>, name: &str, text: Option<&str>) -> Value {
    let mut input = json!({
        "endpoint": "upload",
        "voice_name": name,
        "file": BASE64_STANDARD.encode(voice().recording),
    });
    if let Some(text) = text {
        input["ref_text"] = text.into();
    }
    ask(service, "u", input).await.unwrap()
}

#[tokio::test]
async fn a_voice_comes_speaks_and_goes() {
    let (_, service) = setting();
    let answer = upload(&service, "Änna 1", Some(voice().transcript)).await;
    assert_eq!(answer["status"], "Voice 'Änna 1.wav' uploaded successfully.");
    let voices = ask(&service, "l", json!({"endpoint": "list_voices"}))
        .await
        .unwrap();
    assert_eq!((&voices["count"], &voices["status"]), (&json!(2), &json!("success")));
    let stored = &voices["voices"][1];
    assert_eq!(stored["name"], "Änna 1.wav");
    assert_eq!(stored["voice_file"], "voices/Änna 1.wav");
    assert_eq!(stored["text_file"], "voices/Änna 1.txt");
    for name in ["Änna 1", "Änna 1.wav"] {
        let input = json!({"text": "Hello.", "local_voice": name});
        let answer = ask(&service, &format!("job{}", name.len()), input)
            .await
            .unwrap();
        assert_eq!(answer["voice"], "Änna 1.wav");
    }
    let delete = json!({"endpoint": "delete_voice", "voice_name": "Änna 1"});
    let answer = ask(&service, "d", delete.clone()).await.unwrap();
    assert_eq!(answer["status"], "Voice 'Änna 1.wav' deleted.");
    assert_eq!(ask(&service, "d", delete).await.unwrap_err().code(), ErrorCode::VoiceNotFound);
}

#[tokio::test]
async fn another_recording_or_transcript_is_another_version() {
    let (_, service) = setting();
    let mut versions = Vec::new();
    for (index, text) in ["One sentence.", "Another sentence.", "One sentence."]
        .into_iter()
        .enumerate()
    {
        upload(&service, "anna", Some(text)).await;
        let input = json!({"text": "Hello.", "local_voice": "anna"});
        let answer = ask(&service, &format!("job{index}"), input).await.unwrap();
        versions.push(answer["voice_version"].as_str().unwrap().to_owned());
    }
    assert_ne!(versions[0], versions[1]);
    assert_eq!(versions[0], versions[2]);
}

#[tokio::test]
async fn a_voice_without_transcript_is_stored_and_says_what_it_lacks() {
    let (storage, service) = setting();
    upload(&service, "mute", None).await;
    let input = json!({"text": "Hello.", "local_voice": "mute"});
    let failure = ask(&service, "a", input.clone()).await.unwrap_err();
    assert_eq!(failure.code(), ErrorCode::TranscriptMissing);
    assert!(failure.message().contains("ref_text"), "{failure}");
    // As somebody would who knows the bucket.
    let name = f5tts_service::storage::VoiceName::try_from("mute.wav").unwrap();
    storage
        .put(&ObjectKey::Transcript(name), "A sentence.".into())
        .await
        .unwrap();
    ask(&service, "a", input).await.unwrap();
}

#[tokio::test]
async fn a_dialogue_has_several_voices() {
    let (_, service) = setting();
    upload(&service, "anna", Some("A sentence.")).await;
    let input = json!({"text": "[anna] Hello. [main] Goodbye.", "multi_voice": true});
    let answer = ask(&service, "a", input).await.unwrap();
    let voices = answer["voices"].as_object().unwrap();
    assert_eq!(voices.keys().collect::<Vec<_>>(), ["anna.wav", "rms"]);
}

#[tokio::test]
async fn downloads_are_there_for_jobs_of_the_original_too() {
    let (storage, service) = setting();
    let key = ObjectKey::Output { job: id("old-1"), extension: AudioExtension::Wav };
    storage.put(&key, "RIFF".into()).await.unwrap();
    let request = json!({"endpoint": "download", "job_id": "old-1"});
    let answer = ask(&service, "d", request).await.unwrap();
    assert_eq!(
        (&answer["content_type"], &answer["format"]),
        (&json!("audio/wav"), &json!("wav"))
    );
    assert_eq!((&answer["filename"], &answer["status"]), (&json!("old-1.wav"), &json!("ready")));
    let request = json!({"endpoint": "download", "job_id": "old-1", "type": "timing"});
    assert_eq!(ask(&service, "d", request).await.unwrap_err().code(), ErrorCode::OutputNotFound);
}

#[tokio::test]
async fn a_model_that_is_not_served_is_named() {
    let (_, service) = setting();
    let failure = ask(&service, "a", json!({"text": "Hello.", "model": "other"}))
        .await
        .unwrap_err();
    assert_eq!(failure.message(), "`model` is \"other\", served here is tone");
}

#[tokio::test]
async fn the_self_test_tries_store_voice_and_model() {
    let (_, service) = setting();
    let answer = ask(&service, "s", json!({"endpoint": "status"}))
        .await
        .unwrap();
    assert_eq!(answer["status"], "ok", "{answer}");
    let names: Vec<_> = answer["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| &check["name"])
        .collect();
    assert_eq!(names, ["store", "default voice", "model"]);
}

#[tokio::test]
async fn nothing_is_known_of_an_unknown_job() {
    let (_, service) = setting();
    for endpoint in ["status", "result", "cancel", "delete_job"] {
        let request = json!({"endpoint": endpoint, "job_id": "nobody"});
        assert_eq!(
            ask(&service, "x", request).await.unwrap_err().code(),
            ErrorCode::JobNotFound,
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn every_operation_tells_which_fields_it_ignored() {
    let (_, service) = setting();
    ask(&service, "a", json!({"text": "Hello.", "old": 1}))
        .await
        .unwrap();
    for (endpoint, count) in [
        ("status", 1),
        ("result", 2),
        ("download", 1),
        ("list_voices", 1),
    ] {
        let request = json!({"endpoint": endpoint, "job_id": "a", "other": 1});
        let answer = ask(&service, "x", request).await.unwrap();
        let warnings = answer["warnings"].as_array().unwrap();
        assert!(warnings.len() >= count, "{endpoint}: {warnings:?}");
        let last = warnings.last().unwrap().as_str().unwrap();
        assert!(last.starts_with("the field "), "{last}");
    }
}

#[tokio::test]
async fn audio_that_was_removed_is_missed() {
    let (storage, service) = setting();
    let input = json!({"text": "Hello.", "return_audio": "base64"});
    ask(&service, "a", input).await.unwrap();
    let key = ObjectKey::Output { job: id("a"), extension: AudioExtension::Wav };
    storage.delete(&key).await.unwrap();
    let request = json!({"endpoint": "result", "job_id": "a"});
    let failure = ask(&service, "r", request).await.unwrap_err();
    assert_eq!(failure.code(), ErrorCode::OutputNotFound);
}
