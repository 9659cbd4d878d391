#include "drone/postgres/server_error.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/text/utf8.h"

namespace chartly::drone {
namespace {

constexpr size_t kMaxTextBytes = 500;

std::string Shown(absl::string_view text) {
  return absl::Utf8SafeCHexEscape(ToUtf8(CutAtCharacter(text, kMaxTextBytes)));
}

// " at line 2, column 8", counted as editors do.
std::string Place(absl::string_view query, size_t position) {
  if (position == 0 || query.empty()) return "";
  absl::string_view before = query.substr(0, SkipCharacters(query, position - 1));
  size_t line_begin = before.rfind('\n') == absl::string_view::npos ? 0 : before.rfind('\n') + 1;
  return absl::StrCat(" at line ", 1 + std::count(before.begin(), before.end(), '\n'), ", column ",
                      1 + CountCharacters(before.substr(line_begin)));
}

std::string Said(const ServerError& error) {
  std::string said = Shown(error.message);
  if (!error.detail.empty()) absl::StrAppend(&said, " (", Shown(error.detail), ")");
  if (!error.hint.empty()) absl::StrAppend(&said, "; ", Shown(error.hint));
  return said;
}

bool IsAuth(absl::string_view sqlstate) { return absl::StartsWith(sqlstate, "28"); }

// 08: connection, 53: resources (too many connections), 57P: the server stops or starts, 40: another try may do.
bool IsPassing(absl::string_view sqlstate) {
  return sqlstate.empty() || absl::StartsWith(sqlstate, "08") || absl::StartsWith(sqlstate, "53") ||
         absl::StartsWith(sqlstate, "57P") || absl::StartsWith(sqlstate, "40");
}

absl::string_view WhatToDo(absl::string_view sqlstate) {
  if (sqlstate == "42501") return "; grant the user SELECT on what the query reads";
  if (sqlstate == "25006") return "; a source only reads";
  if (sqlstate == "3D000") return "; check source.postgres.database";
  return "";
}

}  // namespace

bool IsQueryCancelled(const ServerError& error) { return error.sqlstate == "57014"; }

absl::Status StatusOfServerError(const ServerError& error, absl::string_view server, absl::string_view query) {
  if (IsAuth(error.sqlstate)) {
    return Error(absl::StatusCode::kPermissionDenied, "SOURCE_AUTH",
                 absl::StrCat(server, " refused the user: ", Said(error),
                              "; check source.postgres.user, the secret of source.postgres.password and pg_hba.conf of "
                              "the server"),
                 {{"address", server}, {"sqlstate", error.sqlstate}});
  }
  if (IsPassing(error.sqlstate)) {
    return Error(absl::StatusCode::kUnavailable, "SOURCE_UNREACHABLE",
                 absl::StrCat("no answer from ", server, ": ", Said(error)),
                 {{"address", server}, {"sqlstate", error.sqlstate}});
  }
  return Error(absl::StatusCode::kFailedPrecondition, "SOURCE_QUERY",
               absl::StrCat(server, " refused source.postgres.query", Place(query, error.position), ": ", Said(error),
                            " [SQLSTATE ", error.sqlstate, "]", WhatToDo(error.sqlstate)),
               {{"address", server}, {"sqlstate", error.sqlstate}, {"position", absl::StrCat(error.position)}});
}

}  // namespace chartly::drone
