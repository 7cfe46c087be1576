//! The requests that the pages and the files of the deployment show are done.

use std::fs;

use serde_json::{Value, json};

use crate::{Sandbox, repository};

/// The JSON blocks of a Markdown page that are jobs.
fn jobs_of_page(name: &str) -> Vec<Value> {
    let page = fs::read_to_string(repository().join("docs").join(name)).unwrap();
    let blocks = page.split("```json\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let values = blocks.map(|block| serde_json::from_str::<Value>(block).unwrap());
    values
        .filter(|value| value.get("input").is_some())
        .collect()
}

/// The jobs by which RunPod's Hub tests a release.
fn jobs_of_hub() -> Vec<Value> {
    let text = fs::read_to_string(repository().join(".runpod/tests.json")).unwrap();
    let tests: Value = serde_json::from_str(&text).unwrap();
    tests["tests"].as_array().unwrap().clone()
}

#[track_caller]
fn assert_done(jobs: &[Value], warned: &[&str]) {
    assert!(!jobs.is_empty());
    let sandbox = Sandbox::new();
    for job in jobs {
        let mut input = job["input"].clone();
        let fields = input.as_object_mut().unwrap();
        if fields.contains_key("text") {
            fields.entry("nfe_step").or_insert(json!(4));
        }
        let job = json!({ "input": input }).to_string();
        let answer = sandbox
            .run(&["job", "run", "--data-dir", "data", &job])
            .ok();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let warnings = answer["warnings"].as_array().into_iter().flatten();
        for warning in warnings.filter_map(Value::as_str) {
            let expected = warned.iter().any(|field| warning.contains(field));
            assert!(
                expected || !warning.contains("is not known and was ignored"),
                "{job}: {warning}"
            );
        }
    }
}

#[test]
fn the_requests_of_the_page_for_runpod_are_done() {
    assert_done(&jobs_of_page("runpod.md"), &[]);
}

#[test]
fn the_requests_of_old_clients_are_done() {
    assert_done(&jobs_of_page("migration.md"), &["timing_method"]);
}

#[test]
fn the_tests_of_the_hub_are_done() {
    assert_done(&jobs_of_hub(), &[]);
}
