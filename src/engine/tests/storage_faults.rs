//! Storage that fails at each write, at once or after it wrote all the same.

use astra_emulator::Fault;
use astra_emulator::fault::FaultBody;
use serde_json::json;

use crate::engine::testing::AstraMount;
use crate::vault::Error;
use crate::vault::memory::WriteFault;

/// No operation here writes more often.
const WRITES: usize = 4;

fn plans() -> impl Iterator<Item = WriteFault> {
    let flags = [(false, false), (false, true), (true, false), (true, true)];
    (0..WRITES).flat_map(move |after| {
        flags.map(|(applied, for_good)| WriteFault {
            after,
            applied,
            once: !for_good,
            deletions: true,
            ..WriteFault::default()
        })
    })
}

#[tokio::test]
async fn a_mint_that_cannot_be_noted_leaves_no_token() {
    for plan in plans() {
        for dies in [false, true] {
            let mut mount = AstraMount::mounted().await;
            mount.storage.set_write_fault(Some(plan.clone()));
            let minted = mount.mint("reader").await;
            mount.storage.set_write_fault(None);
            let issued = match minted {
                Ok(issued) => vec![issued],
                Err(Error::Internal(text)) => {
                    assert!(text.contains("the host does not answer"), "{text}");
                    Vec::new()
                }
                Err(error) => panic!("{error:?}"),
            };
            let issued: Vec<_> = issued.iter().collect();
            if dies {
                mount.restart();
            }
            mount.tick().await;
            mount.assert_clean(&issued, &format!("{plan:?}"));
            // And all goes on.
            let next = mount.mint("reader").await.unwrap();
            mount.revoke(&next).await.unwrap();
            mount.assert_clean(&issued, &format!("{plan:?}"));
        }
    }
}

#[tokio::test]
async fn read_only_storage_forwards_and_leaves_no_token() {
    let mount = AstraMount::mounted().await;
    let issued = mount.mint("reader").await.unwrap();
    mount.storage.set_read_only(true);
    assert_eq!(mount.mint("reader").await.err(), Some(Error::ReadOnly));
    mount.assert_clean(&[&issued], "the token is deleted at once");
    mount.storage.set_read_only(false);
    mount.tick().await;
    mount.assert_clean(&[&issued], "what is still leased stays");
}

#[tokio::test]
async fn a_config_is_stored_whole_or_not_at_all() {
    for plan in plans() {
        let mut mount = AstraMount::new().await;
        mount.storage.set_write_fault(Some(plan.clone()));
        let config = mount.config(json!({}));
        let is_written = mount.write("config", config.clone()).await.is_ok();
        mount.storage.set_write_fault(None);
        let shown = mount.read("config").await;
        assert!(shown.is_some() || !is_written, "{plan:?}");
        if !plan.applied {
            assert_eq!(shown.is_some(), is_written, "{plan:?}");
        }
        // What is in memory is what is in storage.
        mount.restart();
        assert_eq!(mount.read("config").await, shown, "{plan:?}");
        mount.write("config", config).await.unwrap();
        let changed = mount.read("config").await.unwrap();
        mount.storage.set_write_fault(Some(WriteFault {
            after: 0,
            ..plan.clone()
        }));
        assert!(
            mount
                .write("config", json!({"request_timeout": 3}))
                .await
                .is_err()
        );
        mount.storage.set_write_fault(None);
        let shown = mount.read("config").await.unwrap();
        assert_eq!(shown != changed, plan.applied, "{plan:?}");
        mount.restart();
        assert_eq!(mount.read("config").await.unwrap(), shown, "{plan:?}");
    }
}

#[tokio::test]
async fn a_role_in_memory_is_the_role_in_storage() {
    for written in [false, true] {
        let mut mount = AstraMount::mounted().await;
        mount.storage.set_write_fault(Some(WriteFault {
            applied: written,
            once: true,
            deletions: true,
            ..WriteFault::default()
        }));
        assert!(
            mount
                .write("roles/reader", json!({"ttl": 60}))
                .await
                .is_err()
        );
        let ttl = mount.read("roles/reader").await.unwrap()["ttl"].clone();
        assert_eq!(ttl == 60, written);
        mount.restart();
        assert_eq!(mount.read("roles/reader").await.unwrap()["ttl"], ttl);
    }
}

#[tokio::test]
async fn storage_that_does_not_answer_is_the_hosts_fault() {
    let mut mount = AstraMount::mounted().await;
    mount.restart();
    let gone = crate::vault::StorageError::Unreachable("gone".to_owned());
    mount.storage.set_failure(Some(gone));
    let requests = mount.astra.journal().len();
    let config = mount.config(json!({}));
    let outcomes = [
        mount.mint("reader").await.err(),
        mount.write("config", config).await.err(),
        mount.write("roles/reader", json!({})).await.err(),
    ];
    for outcome in outcomes {
        let error = outcome.unwrap();
        assert!(matches!(error, Error::Internal(_)), "{error:?}");
        assert_eq!(error.to_string(), "storage is unreachable: gone");
    }
    assert_eq!(mount.astra.journal().len(), requests);
}

#[tokio::test]
async fn an_orderly_end_notes_what_is_lost() {
    let mut mount = AstraMount::mounted().await;
    let issued = mount.mint("reader").await.unwrap();
    // The mark is written, though the host says that it is not; and the token cannot be deleted.
    mount.storage.set_write_fault(Some(WriteFault {
        applied: true,
        once: true,
        deletions: true,
        ..WriteFault::default()
    }));
    let forbidden = Fault::Status {
        status: 403,
        body: FaultBody::String,
        retry_after: None,
        committed: false,
    };
    mount.fault("DELETE", "*", forbidden);
    assert!(mount.mint("reader").await.is_err());
    mount.cleanup().await;
    mount.astra.clear_faults();
    mount.restart();
    mount.tick().await;
    mount.assert_clean(&[&issued], "the next process knows");
}
