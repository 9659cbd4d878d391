#include "common/http/tls_context.h"

#include <openssl/ssl.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace chartly::http {
namespace ssl = boost::asio::ssl;
using boost::system::error_code;
namespace {

constexpr unsigned char kProtocols[] = "\x08http/1.1";

// This server speaks nothing else; whoever offers only other protocols is not told that one of them was chosen.
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                   unsigned offered_size, void*) {
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, size, kProtocols, sizeof(kProtocols) - 1, offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

absl::Status Invalid(const std::string& path, absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "TLS_FILES_INVALID", absl::StrCat(path, ": ", why),
               {{"path", path}});
}

std::string StampOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "absent";
  return absl::StrCat(info.st_dev, ".", info.st_ino, ".", info.st_size, ".", info.st_mtim.tv_sec, ".",
                      info.st_mtim.tv_nsec);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Open(const TlsFiles& files) {
  std::unique_ptr<TlsContext> made(new TlsContext(files));
  absl::MutexLock lock(&made->mu_);
  made->stamp_ = made->Stamp();
  ASSIGN_OR_RETURN(made->context_, made->Load());
  return made;
}

std::string TlsContext::Stamp() const { return absl::StrCat(StampOf(files_.certificate), "/", StampOf(files_.key)); }

absl::StatusOr<TlsContext::Context> TlsContext::Load() const {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(native, ChooseProtocol, nullptr);
  error_code error;
  context->use_certificate_chain_file(files_.certificate, error);
  if (error) return Invalid(files_.certificate, absl::StrCat("no certificate can be read: ", error.message()));
  context->use_private_key_file(files_.key, ssl::context::pem, error);
  if (error)
    return Invalid(files_.key, absl::StrCat("no key that fits the certificate can be read: ", error.message()));
  if (SSL_CTX_check_private_key(native) != 1) return Invalid(files_.key, "the key does not fit the certificate");
  return context;
}

TlsContext::Context TlsContext::Current() {
  absl::MutexLock lock(&mu_);
  const std::string stamp = Stamp();
  if (stamp == stamp_) return context_;
  stamp_ = stamp;
  absl::StatusOr<Context> loaded = Load();
  Count("chartly_tls_reloads_total", 1, loaded.ok() ? "loaded" : "refused");
  if (loaded.ok()) {
    context_ = *std::move(loaded);
  } else {
    LogError("the certificate was not taken, the one before goes on serving",
             {{"error", std::string(loaded.status().message())}});
  }
  return context_;
}

}  // namespace chartly::http
