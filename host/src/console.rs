//! The files of `web/`, carried by the binary: the console, and the client that pages may import.

use crate::engine::Asset;

/// A file by its name, if the console has one of that name.
pub fn asset(name: &str) -> Option<Asset> {
    let (name, content) = FILES.iter().find(|(known, _)| *known == name)?;
    let media_type = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    };
    Some((media_type, content))
}

macro_rules! file {
    ($name:literal) => {
        ($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../web/", $name)))
    };
}

const FILES: &[(&str, &[u8])] = &[
    file!("answer.js"),
    file!("backend-form.js"),
    file!("bubble.js"),
    file!("chat-page.js"),
    file!("chat.js"),
    file!("client/calls.js"),
    file!("client/chat.js"),
    file!("client/client.js"),
    file!("client/documents.js"),
    file!("client/frames.js"),
    file!("client/machine.js"),
    file!("client/pacing.js"),
    file!("client/parlor.js"),
    file!("client/projects.js"),
    file!("client/rooms.js"),
    file!("console.css"),
    file!("console.js"),
    file!("dashboards/board.js"),
    file!("dashboards/card.js"),
    file!("dashboards/client.js"),
    file!("dashboards/conflict.js"),
    file!("dashboards/dashboards.css"),
    file!("dashboards/dragging.js"),
    file!("dashboards/earlier.js"),
    file!("dashboards/form.js"),
    file!("dashboards/grid.js"),
    file!("dashboards/kinds.js"),
    file!("dashboards/machine.js"),
    file!("dashboards/missed.js"),
    file!("dashboards/notices.js"),
    file!("dashboards/operations.js"),
    file!("dashboards/page.js"),
    file!("dashboards/posts.js"),
    file!("dashboards/refused.js"),
    file!("dashboards/said.js"),
    file!("dashboards/view.js"),
    file!("dashboards/wire.js"),
    file!("documents.js"),
    file!("dom.js"),
    file!("drafts/base64.js"),
    file!("drafts/comments.js"),
    file!("drafts/cursors.js"),
    file!("drafts/difference.js"),
    file!("drafts/draft.js"),
    file!("drafts/drafts.css"),
    file!("drafts/history.js"),
    file!("drafts/marks.js"),
    file!("drafts/page.js"),
    file!("drafts/places.js"),
    file!("drafts/text.js"),
    file!("drafts/threads.js"),
    file!("drafts/view.js"),
    file!("editor/LICENSES.txt"),
    file!("editor/libraries.js"),
    file!("feed.js"),
    file!("icon.svg"),
    file!("index.html"),
    file!("interview-page.js"),
    file!("interview.js"),
    file!("markdown.js"),
    file!("projects.css"),
    file!("projects.js"),
    file!("rest.js"),
    file!("room-view.js"),
    file!("room.js"),
    file!("session.js"),
    file!("socket.js"),
    file!("talk.css"),
    file!("timeline.js"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web");

    fn files_in(folder: &str, prefix: &str) -> Vec<String> {
        let files = std::fs::read_dir(folder).expect("the folder is there");
        let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a plain name"));
        let endings = [".js", ".css", ".svg", ".html", ".txt"];
        let served =
            |name: &String| endings.iter().any(|ending| name.ends_with(ending)) && name != "entry.js";
        names.filter(served).map(|name| format!("{prefix}{name}")).collect()
    }

    #[test]
    fn every_file_of_the_console_and_of_the_client_is_carried() {
        let mut names = files_in(WEB, "");
        for folder in ["client", "dashboards", "drafts", "editor"] {
            names.extend(files_in(&format!("{WEB}/{folder}"), &format!("{folder}/")));
        }
        names.sort();
        assert_eq!(FILES.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    }
}
