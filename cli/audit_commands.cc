// chartly audit list, proof, checkpoint, export, rotate-key, erase
#include "cli/audit_commands.h"

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "cli/listing.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/crypto/checkpoint.h"
#include "common/crypto/merkle_tree.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr size_t kDetailWidth = 40;

std::vector<std::string> EventRow(const Json& event) {
  return {event["seq"].text(),     ShortTime(event["time"].text()), event["actor"].text(),
          event["address"].text(), event["action"].text(),          event["subject"].text(),
          event["outcome"].text(), event["request_id"].text(),      Shorten(event["detail"].text(), kDetailWidth)};
}

absl::Status List(Session& session, int64_t limit) {
  return PrintListing(session,
                      {.path = "/api/audit/events",
                       .query = {},
                       .size_param = "page_size",
                       .field = "events",
                       .limit = limit,
                       .header = {"SEQ", "TIME", "ACTOR", "FROM", "ACTION", "SUBJECT", "OUTCOME", "REQUEST", "DETAIL"},
                       .row = EventRow,
                       .if_empty = "nothing in the log yet",
                       .on_page = {}});
}

absl::StatusOr<MerkleProof> ProofOf(const Json& hashes) {
  MerkleProof proof;
  for (const Json& hash : hashes.items()) {
    ASSIGN_OR_RETURN(proof.emplace_back(), MerkleHashFromHex(hash.text()));
  }
  return proof;
}

// What the server says is checked here, but for the signature, for which a key from elsewhere is needed.
absl::Status CheckProof(const Json& answer) {
  ASSIGN_OR_RETURN(std::string text, TextOfNote(answer["checkpoint"].text()));
  ASSIGN_OR_RETURN(Checkpoint checkpoint, ParseCheckpoint(text));
  ASSIGN_OR_RETURN(MerkleHash leaf, MerkleHashFromHex(answer["event"]["hash"].text()));
  ASSIGN_OR_RETURN(MerkleProof proof, ProofOf(answer["hashes"]));
  return VerifyInclusion(leaf, static_cast<uint64_t>(answer["leaf_index"].integer()), checkpoint.size, proof,
                         checkpoint.root);
}

absl::Status Proof(Session& session, int64_t seq) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Get("/api/audit/proof", {{"seq", absl::StrCat(seq)}}));
  if (answer["event"]["form"].integer() == 2) RETURN_IF_ERROR(CheckProof(answer));
  if (session.json()) {
    session.PrintJson(answer);
    return absl::OkStatus();
  }
  session.out << "entry " << seq << " is in the log of " << answer["size"].text() << " entries with the root "
              << answer["root"].text() << "\n\n"
              << answer["checkpoint"].text();
  return absl::OkStatus();
}

absl::Status ShowCheckpoint(Session& session, bool keys) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json answer, api->Get("/api/audit/checkpoint", {{"fresh", "true"}}));
  if (session.json()) {
    session.PrintJson(answer);
  } else if (keys) {
    for (const Json& key : answer["keys"].items()) session.out << key["verifier"].text() << "\n";
  } else {
    session.out << answer["checkpoint"].text();
  }
  return absl::OkStatus();
}

absl::Status DownloadTo(Session& session, std::ostream& to) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  RETURN_IF_ERROR(api->Download("/api/audit:export", {}, [&](absl::string_view piece) {
    to.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    return to.good();
  }));
  to.flush();
  if (to.good()) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, "WRITE_FAILED", "cannot write the log; is the disk full?");
}

// The file appears under its name once it is whole.
absl::Status Export(Session& session, const std::string& path) {
  if (path.empty()) return DownloadTo(session, session.out);
  const std::string partial = path + ".part";
  std::ofstream file(partial, std::ios::binary | std::ios::trunc);
  if (!file) {
    return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE", absl::StrCat("cannot write ", partial));
  }
  absl::Status status = DownloadTo(session, file);
  file.close();
  if (status.ok() && std::rename(partial.c_str(), path.c_str()) == 0) return absl::OkStatus();
  std::remove(partial.c_str());
  if (!status.ok()) return Annotate(status, path);
  return Error(absl::StatusCode::kInvalidArgument, "FILE_UNWRITABLE", absl::StrCat("cannot write ", path));
}

absl::Status RotateKey(Session& session) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  ASSIGN_OR_RETURN(Json key, api->Post("/api/audit:rotateKey", Json::Object()));
  if (session.json()) {
    session.PrintJson(key);
  } else {
    session.out << "new key of the log, announced by entry " << key["seq"].text() << ":\n"
                << key["verifier"].text() << "\n";
  }
  return absl::OkStatus();
}

struct PersonOptions {
  std::string actor;
  std::string address;
};

absl::Status Erase(Session& session, const PersonOptions& person) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  if (!person.actor.empty()) body.Set("actor", Json::Text(person.actor));
  if (!person.address.empty()) body.Set("address", Json::Text(person.address));
  ASSIGN_OR_RETURN(Json answer, api->Post("/api/audit:erase", body));
  if (session.json()) {
    session.PrintJson(answer);
    return absl::OkStatus();
  }
  session.out << answer["erased"].integer() << " entries no longer name them\n";
  if (answer["kept"].integer() > 0) {
    session.out << answer["kept"].integer()
                << " entries of a log of the first version do; their hash covers the name\n";
  }
  return absl::OkStatus();
}

void AddErase(CLI::App& noun, Session& session) {
  auto person = std::make_shared<PersonOptions>();
  CLI::App& verb = *AddVerb(noun, session, "erase", "Take what names a person out of the log, which stays provable",
                            [&session, person] { return Erase(session, *person); });
  verb.add_option("--actor", person->actor, "As ACTOR is listed")->type_name("NAME");
  verb.add_option("--address", person->address, "As FROM is listed")->type_name("ADDRESS");
}

}  // namespace

void AddAuditCommands(CLI::App& root, Session& session) {
  CLI::App& noun = *root.add_subcommand("audit", "Read and prove the log of what was done");
  noun.require_subcommand(1)->fallthrough();
  auto limit = std::make_shared<int64_t>(50);
  AddLimit(*AddVerb(noun, session, "list", "Newest entries first", [&session, limit] { return List(session, *limit); }),
           *limit, "Entries");
  auto seq = std::make_shared<int64_t>(0);
  AddVerb(noun, session, "proof", "Prove that an entry is in the log of a signed checkpoint",
          [&session, seq] { return Proof(session, *seq); })
      ->add_option("SEQ", *seq, "Number of the entry")
      ->required();
  auto keys = std::make_shared<bool>(false);
  AddVerb(noun, session, "checkpoint",
          "Sign the log as it is now; keep the answer where the control plane cannot reach it",
          [&session, keys] { return ShowCheckpoint(session, *keys); })
      ->add_flag("--keys", *keys, "The keys of the log instead, for verify --key");
  auto path = std::make_shared<std::string>();
  AddVerb(noun, session, "export", "Write the log to a file that verify checks", [&session, path] {
    return Export(session, *path);
  })->add_option("FILE", *path, "File to write; standard output without it");
  AddVerb(noun, session, "rotate-key", "Make a new key that signs the log", [&session] { return RotateKey(session); });
  AddErase(noun, session);
  AddAuditVerify(noun, session);
}

}  // namespace chartly::cli
