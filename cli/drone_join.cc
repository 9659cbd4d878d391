// chartly drone token | join | revoke
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/status/status.h"
#include "common/x509/certificate.h"

namespace chartly::cli {
namespace {

struct JoinOptions {
  std::string id;
  std::string folder;
  std::string token_file;
  std::string tenant;
  int minutes = 60;
  bool again = false;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

absl::StatusOr<Json> AskForToken(Session& session, const JoinOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  if (!options.id.empty()) body.Set("drone_id", Json::Text(options.id));
  if (!options.tenant.empty()) body.Set("tenant", Json::Text(options.tenant));
  body.Set("ttl_seconds", Json::Integer(options.minutes * 60));
  return api->Post("/api/joinTokens", body);
}

absl::Status PrintToken(Session& session, const JoinOptions& options) {
  ASSIGN_OR_RETURN(const Json issued, AskForToken(session, options));
  if (session.json()) {
    session.PrintJson(issued);
    return absl::OkStatus();
  }
  session.out << issued["secret"].text() << "\n";
  session.err << "good once, until " << ShortTime(issued["join_token"]["expire_time"].text()) << "\n";
  return absl::OkStatus();
}

// The token that was given; empty if none was, or its file cannot be read.
std::string GivenToken(Session& session, const JoinOptions& options) {
  if (options.token_file.empty()) return session.Variable("CHARTLY_JOIN_TOKEN");
  return std::string(absl::StripAsciiWhitespace(ReadFile(options.token_file)));
}

// The token that was given, or one for this drone if the key at hand may make one.
absl::StatusOr<std::string> FindToken(Session& session, const JoinOptions& options) {
  std::string given = GivenToken(session, options);
  if (!given.empty()) return given;
  if (!options.token_file.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "TOKEN_FILE_UNREADABLE",
                 absl::StrCat("cannot read the token file ", options.token_file));
  }
  ASSIGN_OR_RETURN(const Json issued, AskForToken(session, options));
  return issued["secret"].text();
}

// The token carries the fingerprint of the authority, so that whoever answers in its place is found out.
absl::Status CheckAuthority(const std::string& token, const std::string& authority) {
  const std::vector<std::string> parts = absl::StrSplit(token, '_');
  ASSIGN_OR_RETURN(const std::string fingerprint, x509::FingerprintOf(authority));
  if (parts.size() == 4 && parts[3] == fingerprint) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "AUTHORITY_MISMATCH",
               "the answer is not from the control plane that made this token; somebody may be between");
}

absl::Status Keep(const JoinOptions& options, const std::string& key, const Json& answer) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  ::chmod(options.folder.c_str(), 0700);
  const std::string authority = options.folder + "/authority.pem";
  if (!(std::ofstream(authority, std::ios::binary) << answer["authority"].text())) {
    return Error(absl::StatusCode::kUnavailable, "IDENTITY_FILE_FAILED",
                 absl::StrCat("cannot write ", authority, ": ", std::strerror(errno)));
  }
  return x509::WriteIdentity(options.folder + "/identity.pem", key, answer["certificate"].text());
}

// Whether there is an identity of this drone that is still good, and not from another control plane than `token`.
bool HasJoined(const JoinOptions& options, const std::string& token) {
  const auto facts = x509::ReadCertificate(ReadFile(options.folder + "/identity.pem"));
  return facts.ok() && facts->not_after > absl::Now() &&
         absl::StrContains(facts->uri, absl::StrCat("/drone/", options.id, "/")) &&
         (token.empty() || CheckAuthority(token, ReadFile(options.folder + "/authority.pem")).ok());
}

absl::Status Join(Session& session, const JoinOptions& options) {
  if (!options.again && HasJoined(options, GivenToken(session, options))) {
    session.err << options.id << " has joined already\n";
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string token, FindToken(session, options));
  ASSIGN_OR_RETURN(const std::string key, x509::MakePrivateKey());
  ASSIGN_OR_RETURN(const std::string request, x509::MakeRequest(key));
  Json body = Json::Object();
  body.Set("join_token", Json::Text(token))
      .Set("drone_id", Json::Text(options.id))
      .Set("certificate_request", Json::Text(request));
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(const Json answer, api->Post("/api/drones:enroll", body));
  RETURN_IF_ERROR(CheckAuthority(token, answer["authority"].text()));
  RETURN_IF_ERROR(Keep(options, key, answer));
  session.err << options.id << " has joined; its identity lies in " << options.folder << "\n";
  return absl::OkStatus();
}

absl::Status Revoke(Session& session, const JoinOptions& options) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(const Json answer,
                   api->Post(absl::StrCat("/api/drones/", PercentEncode(options.id), ":revoke"), Json::Object()));
  if (session.json()) {
    session.PrintJson(answer);
  } else {
    session.out << options.id << " is revoked since " << ShortTime(answer["revoke_time"].text()) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddDroneJoin(CLI::App& noun, Session& session) {
  auto options = std::make_shared<JoinOptions>();
  CLI::App* token =
      AddVerb(noun, session, "token", "Make a token with which one drone can join, and print it, this once",
              [&session, options] { return PrintToken(session, *options); });
  token->add_option("DRONE", options->id, "The only drone that may use it; any new one if left out");
  token->add_option("--tenant", options->tenant, "The tenant that the drone works for; yours if left out")
      ->type_name("TENANT");
  token->add_option("--minutes", options->minutes, "Minutes for which it is good")
      ->check(CLI::Range(1, 10080))
      ->type_name("N")
      ->capture_default_str();
  CLI::App* join = AddVerb(noun, session, "join", "Give the drone of this host an identity",
                           [&session, options] { return Join(session, *options); });
  join->footer("The token is that of --token-file or CHARTLY_JOIN_TOKEN; without either, the key at hand makes one.");
  join->add_option("DRONE", options->id, "Id of the drone")->required();
  join->add_option("--identity-dir", options->folder, "Where the identity is kept")->required()->type_name("FOLDER");
  join->add_option("--token-file", options->token_file, "File with the join token")->type_name("FILE");
  join->add_option("--tenant", options->tenant, "Of the token that the key at hand makes; yours if left out")
      ->type_name("TENANT");
  join->add_flag(
      "--again", options->again,
      "Also if there is an identity already; one of another control plane than the token is always replaced");
  CLI::App* revoke = AddVerb(noun, session, "revoke", "Shut a drone out until it joins again",
                             [&session, options] { return Revoke(session, *options); });
  revoke->add_option("DRONE", options->id, "Id of the drone")->required();
}

}  // namespace chartly::cli
