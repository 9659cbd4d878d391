#include "cli/session.h"

#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

bool ReadKey(const std::string& path, std::string& key) {
  std::ifstream file(path);
  std::stringstream content;
  if (!file || !(content << file.rdbuf())) return false;
  key = std::string(absl::StripAsciiWhitespace(content.str()));
  return true;
}

}  // namespace

absl::StatusOr<ApiClient*> Session::Api() {
  if (api_ == nullptr) {
    ASSIGN_OR_RETURN(std::string key, FindKey());
    ASSIGN_OR_RETURN(const std::string authorities, Authorities());
    ASSIGN_OR_RETURN(api_, ApiClient::Create(Url(), key, authorities));
  }
  return api_.get();
}

absl::StatusOr<std::string> Session::Authorities() const {
  return net::ReadAuthorities(ca_file.empty() ? environment_.get("CHARTLY_CA_FILE") : ca_file);
}

std::string Session::Url() const {
  std::string address = url.empty() ? environment_.get("CHARTLY_URL") : url;
  return address.empty() ? kDefaultUrl : address;
}

absl::StatusOr<std::string> Session::FindKey() const {
  std::string key = environment_.get("CHARTLY_KEY");
  if (!key.empty() && key_file.empty()) return key;
  std::string named = key_file.empty() ? environment_.get("CHARTLY_KEY_FILE") : key_file;
  if (!named.empty()) {
    if (ReadKey(named, key)) return key;
    return Error(absl::StatusCode::kInvalidArgument, "KEY_FILE_UNREADABLE",
                 absl::StrCat("cannot read the key file ", named), {{"file", named}});
  }
  // Without any word about a key, the one of a local deployment is taken if it is there; reads need none.
  std::string data = environment_.get("CHARTLY_DATA");
  ReadKey(absl::StrCat(data.empty() ? ".chartly" : data, "/admin.key"), key);
  return key;
}

CLI::App* AddVerb(CLI::App& noun, Session& session, const std::string& name, const std::string& description,
                  std::function<absl::Status()> action) {
  CLI::App* verb = noun.add_subcommand(name, description);
  verb->fallthrough();
  verb->callback([&session, action = std::move(action)] { session.action = action; });
  return verb;
}

void AddLimit(CLI::App& verb, int64_t& limit, const std::string& what) {
  // CLI11's own check of a number names the largest double in its message.
  auto whole = [](const std::string& text) {
    int64_t number = 0;
    bool good = absl::SimpleAtoi(text, &number) && number >= 0;
    return good ? std::string() : absl::StrCat("\"", text, "\" must be a whole number, 0 or more");
  };
  verb.add_option("--limit", limit, what + " at most; 0 for all")
      ->check(CLI::Validator(whole, ""))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace chartly::cli
