// What compression and encryption at rest cost and save: a table for plain, zstd, sealed and both.
//
//   bench_codec [--messages N] [--threads N] [--folder DIR] [--corpus DIR]
//
// The mail: 70 % of 4-16 KiB, 25 % of 16-100 KiB, 5 % of 1 MiB; plain text, HTML, and base64 of what does not
// compress, in turn; one of five is from the corpus (a folder of .eml files) where there is one. Encoding and decoding are
// measured on one thread, by plain octets; appends are durable, each from one of the threads; reads are of whole
// messages in random order, by one thread, from a warm cache.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/base/encoding.h"
#include "core/base/inline_executor.h"
#include "store/prepare.h"
#include "store/store.h"

namespace twinpost {
namespace {

using Random = std::mt19937_64;

// Errors end the bench.
template <class T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Words by rank, so that the frequent ones are frequent, as in a language.
std::string word(Random& random) {
  static const std::vector<std::string> words = [] {
    Random letters(11);
    std::vector<std::string> made;
    for (int i = 0; i < 20'000; ++i) {
      std::string one;
      const std::size_t length =
          2 + letters() % 4 + static_cast<std::size_t>(i > 200) * (letters() % 6);
      while (one.size() < length)
        one += "etaoinshrdlucmfwypvbgkjqxz"[std::min(letters() % 26, letters() % 26)];
      made.push_back(one);
    }
    return made;
  }();
  const double rank = std::exp(std::uniform_real_distribution<>(0, std::log(20'000.0))(random));
  return words[static_cast<std::size_t>(rank) - 1];
}

std::string prose(Random& random, std::size_t octets) {
  std::string text;
  std::size_t line = 0;
  while (text.size() < octets) {
    const std::string next = word(random);
    line += next.size() + 1;
    text += next;
    text += line > 70 ? "\r\n" : " ";
    if (line > 70) line = 0;
  }
  return text + "\r\n";
}

std::string html(Random& random, std::size_t octets) {
  std::string text = "<html><body>\r\n";
  while (text.size() < octets) {
    text += "<tr><td style=\"padding:0 8px;font-family:Arial,sans-serif;color:#" +
            std::to_string(random() % 1'000'000) +
            "\"><a href=\"https://example.org/t?id=" + std::to_string(random()) + "\">" +
            word(random) + " " + word(random) + "</a></td></tr>\r\n";
  }
  return text + "</body></html>\r\n";
}

std::string base64(Random& random, std::size_t octets) {
  std::string raw(octets * 3 / 4, '\0');
  for (char& octet : raw) octet = static_cast<char>(random());
  const std::string encoded = base64_encode(raw);
  std::string text;
  for (std::size_t at = 0; at < encoded.size(); at += 76) text += encoded.substr(at, 76) + "\r\n";
  return text;
}

std::string header(Random& random, unsigned number, const char* type) {
  std::string text;
  for (int hop = 0; hop < 3; ++hop) {
    text += "Received: from mx" + std::to_string(random() % 100) + ".example.net (192.0.2." +
            std::to_string(random() % 256) + ")\r\n\tby mail.example.org with ESMTPS id " +
            std::to_string(random()) + ";\r\n\tMon, 5 Jan 2026 10:00:0" +
            std::to_string(random() % 10) + " +0000\r\n";
  }
  return text + "From: Sam <sam@example.net>\r\nTo: ann@example.org\r\nSubject: " + word(random) +
         " " + word(random) + "\r\nMessage-ID: <" + std::to_string(number) + "." +
         std::to_string(random()) + "@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: " + type +
         "\r\n\r\n";
}

std::vector<std::string> read_corpus(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code none;
  for (std::filesystem::recursive_directory_iterator at(folder, none), end; !none && at != end;
       at.increment(none)) {
    if (at->path().extension() == ".eml") paths.push_back(at->path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> mails;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    mails.push_back(text.str());
  }
  return mails;
}

std::vector<std::string> make_mails(unsigned count, const std::vector<std::string>& corpus) {
  Random random(20260105);
  std::vector<std::string> mails;
  for (unsigned i = 0; i < count; ++i) {
    if (!corpus.empty() && i % 5 == 4) {
      // Each body is stored once: a field of its own keeps them apart.
      mails.push_back("X-Number: " + std::to_string(i) + "\r\n" + corpus[(i / 5) % corpus.size()]);
      continue;
    }
    const unsigned kind = static_cast<unsigned>(random() % 100);
    const std::size_t octets = kind < 70   ? 4'096 + random() % 12'288
                               : kind < 95 ? 16'384 + random() % 86'016
                                           : 1'048'576;
    switch (i % 4) {
      case 0: mails.push_back(header(random, i, "text/html") + html(random, octets)); break;
      case 1: mails.push_back(header(random, i, "image/jpeg") + base64(random, octets)); break;
      default: mails.push_back(header(random, i, "text/plain") + prose(random, octets)); break;
    }
  }
  return mails;
}

struct Setting {
  const char* name;
  bool compression;
  bool encryption;
};

struct Figures {
  std::uint64_t plain = 0;    // octets
  std::uint64_t encoded = 0;  // octets
  std::uint64_t file = 0;     // octets in use of the data file
  double encode_mb = 0;
  double decode_mb = 0;
  double appends = 0;
  double reads = 0;
  double recall_mb = 0;  // of the reads
};

store::KeyringPtr new_keys() {
  std::string secret(store::Keyring::kKeyOctets, '\0');
  random_octets(std::as_writable_bytes(std::span(secret)));
  return need(store::Keyring::parse("twinpost-key-1 00000001 " + base64_encode(secret), "bench"));
}

void measure_coder(const store::BodyCoder& coder, const std::vector<std::string>& mails,
                   Figures& figures) {
  std::vector<store::EncodedBody> bodies;
  const double encoding = seconds_of([&] {
    for (const std::string& mail : mails) bodies.push_back(need(coder.encode(mail)));
  });
  std::uint64_t sum = 0;
  const double decoding = seconds_of([&] {
    for (std::size_t i = 0; i < mails.size(); ++i) {
      sum += need(coder.decode_whole(bodies[i].codec, bodies[i].key, bodies[i].octets,
                                     mails[i].size()))
                 .size();
    }
  });
  for (const std::string& mail : mails) figures.plain += mail.size();
  for (const store::EncodedBody& body : bodies) figures.encoded += body.octets.size();
  if (sum != figures.plain) throw std::runtime_error("decoding lost octets");
  figures.encode_mb = static_cast<double>(figures.plain) / 1e6 / encoding;
  figures.decode_mb = static_cast<double>(figures.plain) / 1e6 / decoding;
}

void append_all(store::Store& store, store::MailboxKey inbox, const std::vector<std::string>& mails,
                unsigned threads, Figures& figures) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&] {
    for (std::size_t i = next++; i < mails.size() && !failed; i = next++) {
      try {
        store::Spool spool(store.spool_folder(), 0);
        need(spool.append(mails[i]));
        store::AppendRequest request;
        request.message = need(store::prepare_message(std::move(spool), store.coder()));
        request.internal_date.time = unix_now();
        need(store.write_now([&](store::WriteTxn& txn) { return txn.append(inbox, request); }));
      } catch (const std::exception& e) {
        if (!failed.exchange(true)) std::fprintf(stderr, "bench_codec: %s\n", e.what());
      }
    }
  };
  const double took = seconds_of([&] {
    std::vector<std::thread> all;
    for (unsigned i = 0; i < threads; ++i) all.emplace_back(work);
    for (std::thread& one : all) one.join();
  });
  if (failed) throw std::runtime_error("appending failed");
  figures.appends = static_cast<double>(mails.size()) / took;
}

void read_all(store::Store& store, store::MailboxKey inbox, Figures& figures) {
  std::vector<store::Uid> uids =
      need(store.read_now([&](const store::ReadView& view) { return view.uids(inbox); }));
  std::shuffle(uids.begin(), uids.end(), Random(3));
  constexpr unsigned kTimes = 3;
  std::uint64_t octets = 0;
  const double took = seconds_of([&] {
    std::string text;
    for (unsigned round = 0; round < kTimes; ++round) {
      for (const store::Uid uid : uids) {
        text.clear();
        need(store.read_now([&](const store::ReadView& view) -> Result<void> {
          auto record = view.message(inbox, uid);
          if (!record) return tl::unexpected(record.error());
          return view.read_message(*record, 0, record->size, text);
        }));
        octets += text.size();
      }
    }
  });
  figures.reads = static_cast<double>(uids.size() * kTimes) / took;
  figures.recall_mb = static_cast<double>(octets) / 1e6 / took;
}

Figures measure(const Setting& setting, const std::vector<std::string>& mails,
                const std::string& folder, unsigned threads) {
  store::StoreOptions options;
  options.folder = folder + "/" + setting.name;
  options.reserve_bytes = 0;
  options.compression = setting.compression;
  if (setting.encryption) options.keys = new_keys();
  Figures figures;
  measure_coder(store::BodyCoder(options.compression, options.keys), mails, figures);
  InlineExecutor executor;
  const auto store = need(store::Store::open(options, executor));
  const store::MailboxKey inbox =
      need(store->write_now([](store::WriteTxn& txn) -> Result<store::MailboxKey> {
        auto owner = txn.ensure_account("ann@example.org");
        if (!owner) return tl::unexpected(owner.error());
        auto mailbox = txn.find_mailbox(owner->id, "INBOX");
        if (!mailbox) return tl::unexpected(mailbox.error());
        return store::MailboxKey{owner->id, mailbox->id};
      }));
  append_all(*store, inbox, mails, threads, figures);
  read_all(*store, inbox, figures);
  const store::StoreSpace space = need(store->space());
  figures.file = space.file_octets - space.free_octets;
  return figures;
}

void run(unsigned count, unsigned threads, const std::string& parent, const std::string& corpus) {
  const std::vector<std::string> mails = make_mails(count, read_corpus(corpus));
  std::string folder = parent + "/bench-codec-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder in " + parent);
  const std::array<Setting, 4> settings{{{"plain", false, false},
                                         {"zstd", true, false},
                                         {"sealed", false, true},
                                         {"both", true, true}}};
  std::printf("%-7s %9s %9s %9s %12s %12s %11s %9s %11s\n", "", "plain MB", "coded MB", "file MB",
              "encode MB/s", "decode MB/s", "appends/s", "reads/s", "read MB/s");
  try {
    for (const Setting& setting : settings) {
      const Figures f = measure(setting, mails, folder, threads);
      std::printf("%-7s %9.1f %9.1f %9.1f %12.0f %12.0f %11.0f %9.0f %11.0f\n", setting.name,
                  static_cast<double>(f.plain) / 1e6, static_cast<double>(f.encoded) / 1e6,
                  static_cast<double>(f.file) / 1e6, f.encode_mb, f.decode_mb, f.appends, f.reads,
                  f.recall_mb);
      std::fflush(stdout);
    }
  } catch (...) {
    std::filesystem::remove_all(folder);
    throw;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace twinpost

int main(int argc, char** argv) {
  CLI::App app("What compression and encryption at rest cost and save.");
  unsigned messages = 3000;
  unsigned threads = 4;
  const char* temporary = std::getenv("TMPDIR");
  std::string folder = temporary != nullptr ? temporary : "/tmp";
  const char* set = std::getenv("TWINPOST_CORPUS");
  std::string corpus = set != nullptr ? set : "../shared/corpus";
  app.add_option("--messages", messages)->capture_default_str();
  app.add_option("--threads", threads, "that append")
      ->capture_default_str()
      ->check(CLI::Range(1U, 256U));
  app.add_option("--folder", folder, "for the stores, on the disk to measure")
      ->capture_default_str();
  app.add_option("--corpus", corpus, "folder of .eml files")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    twinpost::run(messages, threads, folder, corpus);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_codec: %s\n", e.what());
    return 1;
  }
  return 0;
}
