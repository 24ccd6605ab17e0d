//! Lists that clients of one organization share, against the emulator.

use astra_emulator::Emulator;
use astra_emulator::Options;
use astra_emulator::PortalToken;

use super::*;
use crate::astra::SharedLists;
use crate::astra::TokenEntry;

/// A client with the root token `token`, which knows its organization and shares lists in `lists`.
async fn sharing(emulator: &Emulator, token: &str, lists: &SharedLists) -> Client {
    let client = unknown(emulator, token, lists);
    client.own_org(soon()).await.unwrap();
    client
}

/// The same before it knows its organization.
fn unknown(emulator: &Emulator, token: &str, lists: &SharedLists) -> Client {
    let client = client(ClientConfig {
        token: Secret::new(token.to_owned()),
        ..config(&emulator.url())
    });
    client.share_lists(lists.clone());
    client
}

/// Another administrator's token of the first organization.
fn another_root(emulator: &Emulator) -> String {
    let administrator = PortalToken {
        roles: emulator.seeds().tokens["org_admin"].roles.clone(),
        ..PortalToken::default()
    };
    emulator.create_token(administrator).unwrap().token
}

/// How many lists each of `clients` has asked for.
fn lists_by(emulator: &Emulator, clients: &[&Client]) -> Vec<usize> {
    let journal = emulator.journal();
    let lists = |client: &&Client| {
        let id = client.root_client_id();
        let of_it = journal.iter().filter(|entry| {
            entry.path == "/v2/clientIdSecrets" && entry.client_id_of_caller.as_deref() == id
        });
        of_it.count()
    };
    clients.iter().map(lists).collect()
}

fn id(token: &TokenEntry) -> Option<String> {
    Some(token.client_id.clone())
}

#[tokio::test]
async fn configs_of_one_organization_share_a_list_and_others_do_not() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let (seeds, lists) = (emulator.seeds(), SharedLists::default());
    let first = sharing(&emulator, &emulator.root_token(), &lists).await;
    let second = sharing(&emulator, &another_root(&emulator), &lists).await;
    let other_org = &seeds.organizations[1];
    let other = sharing(&emulator, &other_org.root_token, &lists).await;
    let (one, two, three) = tokio::join!(
        first.shared_tokens(id, soon()),
        second.shared_tokens(id, soon()),
        other.shared_tokens(id, soon()),
    );
    let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
    assert_eq!(one, two);
    let own = |client: &Client| client.root_client_id().unwrap().to_owned();
    assert!(one.contains(&own(&first)) && one.contains(&own(&second)));
    assert!(
        !one.contains(&own(&other)),
        "a token of another organization"
    );
    assert!(three.contains(&own(&other)) && !three.contains(&own(&first)));
    let clients = [&first, &second, &other];
    assert_eq!(lists_by(&emulator, &clients), [1, 0, 1]);
    // Both know what the list showed.
    assert_eq!(first.last_list(), second.last_list());
    assert!(first.last_list().is_some());

    // Who asked first may go away; the next list is another's.
    drop(first);
    let (two, three) = tokio::join!(
        second.shared_tokens(id, soon()),
        other.shared_tokens(id, soon())
    );
    assert!(two.is_ok() && three.is_ok());
    assert_eq!(lists_by(&emulator, &[&second, &other]), [1, 2]);
}

#[tokio::test]
async fn who_does_not_know_its_organization_lists_alone() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let lists = SharedLists::default();
    let first = sharing(&emulator, &emulator.root_token(), &lists).await;
    let second = unknown(&emulator, &another_root(&emulator), &lists);
    let (one, two) = tokio::join!(
        first.shared_tokens(id, soon()),
        second.shared_tokens(id, soon())
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(lists_by(&emulator, &[&first, &second]), [1, 1]);
}

#[tokio::test]
async fn another_root_token_that_cannot_list_keeps_no_one_from_it() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let (seeds, lists) = (emulator.seeds(), SharedLists::default());
    let weak = sharing(&emulator, &seeds.tokens["read_only"].token, &lists).await;
    let strong = sharing(&emulator, &emulator.root_token(), &lists).await;
    let both = async || {
        let (one, two) = tokio::join!(
            weak.shared_tokens(id, soon()),
            strong.shared_tokens(id, soon()),
        );
        assert_eq!(one.unwrap_err().kind(), "forbidden");
        assert!(!two.unwrap().is_empty());
        lists_by(&emulator, &[&weak, &strong])
    };
    assert_eq!(both().await, [1, 1]);
    // It waits for the other's refusal no more.
    assert_eq!(both().await, [2, 2]);
    let (listed, _) = strong.is_listed("unlisted", soon()).await.unwrap();
    assert!(!listed);
    assert_eq!(lists_by(&emulator, &[&weak, &strong]), [2, 3]);
}

/// What a list lacks that another root token asked for proves nothing, if it lacks one's own root token too.
#[tokio::test]
async fn another_root_token_that_sees_less_hides_no_token() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let lists = SharedLists::default();
    let (weak_root, strong_root) = (another_root(&emulator), emulator.root_token());
    let weak = sharing(&emulator, &weak_root, &lists).await;
    let strong = sharing(&emulator, &strong_root, &lists).await;
    let ids = [&weak, &strong].map(|client| client.root_client_id().unwrap().to_owned());
    let knobs = serde_json::json!({"list_own_only_to": [ids[0]]});
    emulator.set_knobs(knobs).unwrap();
    let hidden = emulator.seeds().tokens["read_only"].client_id.clone();
    let both = async || {
        let (one, two) = tokio::join!(
            weak.shared_tokens(id, soon()),
            strong.is_listed(&hidden, soon()),
        );
        assert_eq!(one.unwrap(), [ids[0].clone()]);
        let (is_listed, list) = two.unwrap();
        assert!(is_listed);
        // Nothing is learned from the short list either.
        assert!(list.entries > 1 && strong.last_list() == Some(list));
        lists_by(&emulator, &[&weak, &strong])
    };
    assert_eq!(both().await, [1, 1]);
    // It waits for the other's list no more.
    assert_eq!(both().await, [2, 2]);
}

/// The list of a weaker root token may be shorter; one that shows all is good for that one as well.
#[tokio::test]
async fn a_root_token_that_sees_less_learns_from_another() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let lists = SharedLists::default();
    let strong = sharing(&emulator, &emulator.root_token(), &lists).await;
    let weak = sharing(&emulator, &another_root(&emulator), &lists).await;
    let own = weak.root_client_id().unwrap();
    let knobs = serde_json::json!({"list_own_only_to": [own]});
    emulator.set_knobs(knobs).unwrap();
    let (one, two) = tokio::join!(
        strong.shared_tokens(id, soon()),
        weak.shared_tokens(id, soon())
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(lists_by(&emulator, &[&strong, &weak]), [1, 0]);
}

#[tokio::test]
async fn an_outage_is_told_to_all_and_ends_no_sharing() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let lists = SharedLists::default();
    let first = sharing(&emulator, &emulator.root_token(), &lists).await;
    let second = sharing(&emulator, &another_root(&emulator), &lists).await;
    let refuse = serde_json::json!({
        "match": {"path": "/v2/clientIdSecrets"}, "fault": {"kind": "status", "status": 403},
    });
    emulator
        .add_fault(serde_json::from_value(refuse).unwrap())
        .unwrap();
    let (one, two) = tokio::join!(
        first.shared_tokens(id, soon()),
        second.shared_tokens(id, soon())
    );
    assert!(one.is_err() && two.is_err());
    emulator.clear_faults();
    let before = lists_by(&emulator, &[&first, &second]);
    let (one, two) = tokio::join!(
        first.shared_tokens(id, soon()),
        second.shared_tokens(id, soon())
    );
    assert_eq!(one.unwrap(), two.unwrap());
    let after = lists_by(&emulator, &[&first, &second]);
    assert_eq!(after, [before[0] + 1, before[1]]);
}
