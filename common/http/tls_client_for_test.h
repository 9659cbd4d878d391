// A blocking TLS client that trusts everybody, and certificates that are trusted by nobody, for tests. Not thread-safe.
#ifndef CHARTLY_COMMON_HTTP_TLS_CLIENT_FOR_TEST_H_
#define CHARTLY_COMMON_HTTP_TLS_CLIENT_FOR_TEST_H_

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/http/http_server.h"

namespace chartly::http {

// Writes a new key and a certificate of that name, signed by the key itself, each file replaced whole. Only one of the
// two is written if the path of the other is empty.
inline void WriteCertificateForTest(const TlsFiles& files, const std::string& name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_sign(certificate, key, EVP_sha256());
  const auto write = [](const std::string& path, auto&& print) {
    if (path.empty()) return;
    BIO* text = BIO_new(BIO_s_mem());
    print(text);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(text, &bytes);
    std::ofstream(path + ".new", std::ios::binary).write(bytes, size);
    BIO_free(text);
    std::filesystem::rename(path + ".new", path);
  };
  write(files.key, [key](BIO* out) { PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
  write(files.certificate, [certificate](BIO* out) { PEM_write_bio_X509(out, certificate); });
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class TlsClientForTest {
 public:
  // Reads give up after 10 s. `version` bounds what the client speaks from above; 0: the newest.
  explicit TlsClientForTest(int port, int version = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM, 0)), context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_)) {
    // As the shipped programs: a server that hung up is a failed write.
    std::signal(SIGPIPE, SIG_IGN);
    timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const unsigned char offered[] = "\x02h2\x08http/1.1";
    SSL_set_alpn_protos(ssl_, offered, sizeof(offered) - 1);
    if (version != 0) {
      SSL_set_security_level(ssl_, 0);
      SSL_set_min_proto_version(ssl_, TLS1_VERSION);
      SSL_set_max_proto_version(ssl_, version);
    }
    SSL_set_fd(ssl_, fd_);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 && SSL_connect(ssl_) == 1;
  }
  ~TlsClientForTest() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  bool connected() const { return connected_; }
  // The name in the certificate of the server.
  std::string ServerName() const {
    char name[128] = "";
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    if (certificate != nullptr) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
    }
    X509_free(certificate);
    return name;
  }
  std::string Protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return std::string(reinterpret_cast<const char*>(name), size);
  }
  bool Send(const std::string& text) {
    return connected_ && SSL_write(ssl_, text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size());
  }
  // Reads until `marker` was seen, or the end.
  std::string ReadUntil(const std::string& marker) {
    std::string seen;
    char bytes[16384];
    while (marker.empty() || seen.find(marker) == std::string::npos) {
      const int count = SSL_read(ssl_, bytes, sizeof(bytes));
      if (count <= 0) break;
      seen.append(bytes, static_cast<size_t>(count));
    }
    return seen;
  }
  // Whether the server said that nothing more comes, in place of only hanging up.
  bool EndWasSaid() const { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }

  TlsClientForTest(const TlsClientForTest&) = delete;
  TlsClientForTest& operator=(const TlsClientForTest&) = delete;

 private:
  int fd_;
  SSL_CTX* context_;
  SSL* ssl_;
  bool connected_ = false;
};

}  // namespace chartly::http

#endif  // CHARTLY_COMMON_HTTP_TLS_CLIENT_FOR_TEST_H_
