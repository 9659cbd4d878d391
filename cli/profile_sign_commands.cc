// chartly profile keygen | sign: keys that the control plane never sees, and signatures by them.
#include "absl/strings/str_cat.h"
#include "cli/profile_folder.h"
#include "cli/profile_path.h"
#include "cli/session.h"
#include "cli/table.h"
#include "common/clock/clock.h"
#include "common/crypto/key_file.h"
#include "common/profile/profile.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr char kPublicSuffix[] = ".pub";

struct SignOptions {
  std::string key;
  std::vector<std::string> files;
  std::string valid_for;
  int64_t counter = 0;
  bool upload = false;
};

absl::Status MakeKey(Session& session, const std::string& path) {
  ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::Generate());
  RETURN_IF_ERROR(WritePrivateKey(path, key));
  RETURN_IF_ERROR(WritePublicKey(path + kPublicSuffix, key.public_key()));
  if (session.json()) {
    session.PrintJson(Json::Object()
                          .Set("key_id", Json::Text(key.public_key().id()))
                          .Set("private", Json::Text(path))
                          .Set("public", Json::Text(path + kPublicSuffix)));
    return absl::OkStatus();
  }
  session.out << "key " << key.public_key().id() << "\n"
              << path << ": keep it where you sign, and nowhere else\n"
              << path << kPublicSuffix << ": give it to drones with --profile-keys\n";
  return absl::OkStatus();
}

// Puts the signature in place of one by the same key; a signature of an earlier text is of no use any more.
std::vector<SignedStatement> WithNew(std::vector<SignedStatement> kept, SignedStatement fresh) {
  std::vector<SignedStatement> all;
  for (SignedStatement& one : kept) {
    const bool same_text =
        one.statement.revision == fresh.statement.revision && one.statement.profile_id == fresh.statement.profile_id;
    if (same_text && one.signature.key_id() != fresh.signature.key_id()) all.push_back(std::move(one));
  }
  all.push_back(std::move(fresh));
  return all;
}

absl::StatusOr<std::vector<SignedStatement>> KeptBeside(const ProfileFile& file) {
  absl::StatusOr<std::vector<SignedStatement>> kept = ReadSignaturesBeside(file);
  if (Reason(kept.status()) == "SIGNATURE_OF_ANOTHER") return std::vector<SignedStatement>();
  return kept;
}

absl::Status Upload(Session& session, const SignedStatement& one) {
  ASSIGN_OR_RETURN(ApiClient * api, session.Api());
  Json body = Json::Object();
  body.Set("revision", Json::Text(one.statement.revision)).Set("signature", SignatureJson(one.signature));
  return api->Post(absl::StrCat(ProfilePath(one.statement.profile_id), ":sign"), body).status();
}

absl::Status Sign(Session& session, const SignOptions& options) {
  ASSIGN_OR_RETURN(PrivateKey key, ReadPrivateKey(options.key));
  ASSIGN_OR_RETURN(std::vector<std::string> names, FindProfileFiles(options.files));
  ASSIGN_OR_RETURN(std::vector<ProfileFile> files, ReadProfileFiles(session, names));
  SystemClock clock;
  absl::Time expires = absl::InfiniteFuture();
  if (!options.valid_for.empty()) {
    ASSIGN_OR_RETURN(absl::Duration valid_for, ParseDuration(options.valid_for));
    expires = absl::FromUnixSeconds(absl::ToUnixSeconds(clock.Now() + valid_for));
  }
  // The time grows by itself, so that nobody has to keep a count.
  const int64_t counter = options.counter > 0 ? options.counter : absl::ToUnixMillis(clock.Now());
  Json all = Json::Array();
  Table table({"PROFILE", "VERSION", "REVISION", "COUNTER", "FILE"});
  for (const ProfileFile& file : files) {
    const ProfileStatement statement{file.profile.id, file.profile.revision, counter, expires};
    const SignedStatement one{statement, SignProfile(key, statement)};
    ASSIGN_OR_RETURN(std::vector<SignedStatement> kept, KeptBeside(file));
    const std::string beside = absl::StrCat(file.name, kSignatureSuffix);
    RETURN_IF_ERROR(WriteTextFile(beside, SignatureFileText(WithNew(std::move(kept), one))));
    if (options.upload) RETURN_IF_ERROR(Annotate(Upload(session, one), file.name));
    table.Add(
        {file.profile.id, file.profile.version, file.profile.revision.substr(0, 15), absl::StrCat(counter), beside});
    all.Add(Json::Object()
                .Set("id", Json::Text(file.profile.id))
                .Set("revision", Json::Text(file.profile.revision))
                .Set("signature", SignatureJson(one.signature))
                .Set("file", Json::Text(beside)));
  }
  if (session.json()) {
    session.PrintJson(Json::Object().Set("profiles", std::move(all)));
  } else {
    table.Print(session.out, "");
  }
  return absl::OkStatus();
}

}  // namespace

void AddProfileSigning(CLI::App& noun, Session& session) {
  auto options = std::make_shared<SignOptions>();
  AddVerb(noun, session, "keygen", "Make a key to sign profiles with; needs no server",
          [&session, options] { return MakeKey(session, options->key); })
      ->add_option("FILE", options->key, "File for the private key; the public one gets the suffix .pub")
      ->required();
  CLI::App* sign = AddVerb(noun, session, "sign", "Sign profile files; the signatures lie beside them as FILE.sig",
                           [&session, options] { return Sign(session, *options); });
  sign->add_option("FILE", options->files, "Profile files, and folders of them")->required();
  sign->add_option("--key", options->key, "File with the private key")->type_name("FILE")->required();
  sign->add_option("--valid-for", options->valid_for, "Until when drones take it, such as 90d; for ever without it")
      ->type_name("TIME");
  sign->add_option("--counter", options->counter, "Drones refuse a lower one than they have seen; the time without it")
      ->check(CLI::PositiveNumber);
  sign->add_flag("--upload", options->upload, "Also store it beside the revision that was applied already");
}

}  // namespace chartly::cli
