// The founding story through the official JavaScript driver.
import neo4j from 'neo4j-driver'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'

const scheme = process.env.STORY_SCHEME
const endpoints = process.env.STORY_REPLICATION.split(',')
const founding = 'This is going to be replicated!'

function check (condition, what) {
  if (!condition) {
    console.log(`differs: ${what}`)
    process.exit(1)
  }
}
const open = address => neo4j.driver(`${scheme}://${address}`, neo4j.auth.basic('', ''), { useBigInt: true })

async function rows (driver, query, parameters = {}, mode = neo4j.session.WRITE) {
  const session = driver.session({ defaultAccessMode: mode })
  try {
    const result = await session.run(query, parameters)
    return result.records.map(record => record.keys.map(key => record.get(key)))
  } finally {
    await session.close()
  }
}
async function failure (driver, query) {
  try {
    await rows(driver, query)
  } catch (error) {
    return error
  }
  check(false, `${query} succeeded`)
}

const main = open(process.env.STORY_MAIN)
const replicas = process.env.STORY_REPLICAS.split(',').map(open)

for (const [i, driver] of replicas.entries()) {
  const port = endpoints[i].split(':').pop()
  check((await rows(driver, `SET REPLICATION ROLE TO REPLICA WITH PORT ${port};`)).length === 0, 'SET ROLE returns no rows')
  check(isDeepStrictEqual(await rows(driver, 'SHOW REPLICATION ROLE;', {}, neo4j.session.READ), [['replica']]), 'role of a replica')
}
for (const [i, mode] of ['SYNC', 'ASYNC', 'SYNC WITH TIMEOUT 1'].entries()) {
  await rows(main, `REGISTER REPLICA r${i + 1} ${mode} TO "${endpoints[i]}";`)
}
check(isDeepStrictEqual(await rows(main, 'SHOW REPLICATION ROLE;'), [['main']]), 'role of the main')

await rows(main, `CREATE (n:N {p: "${founding}"});`)
for (const driver of replicas) {
  const deadline = Date.now() + 10_000
  let found
  do {
    found = await rows(driver, 'MATCH (n:N) RETURN n;', {}, neo4j.session.READ)
    if (found.length === 0) await new Promise(resolve => setTimeout(resolve, 10))
  } while (found.length === 0 && Date.now() < deadline)
  check(found.length === 1, `a replica shows ${found.length} vertices`)
  check(isDeepStrictEqual(found[0][0].labels, ['N']) && isDeepStrictEqual({ ...found[0][0].properties }, { p: founding }),
    `a replica shows ${found[0][0]}`)
}
check(isDeepStrictEqual((await rows(main, 'SHOW REPLICAS;')).map(row => row[0]), ['r1', 'r2', 'r3']), 'SHOW REPLICAS')

if (scheme === 'bolt') {
  const refusal = await failure(replicas[0], 'CREATE (:Forbidden);')
  check(/replica/i.test(refusal.message), `the refusal reads ${refusal.message}`)
}
check((await rows(replicas[0], 'MATCH (n) RETURN n', {}, neo4j.session.READ)).length === 1, 'a replica after a refused write')
const syntax = await failure(main, 'MATCH (n RETURN n')
check(/SyntaxError/.test(syntax.code) && /line 1/i.test(syntax.message), `${syntax.code}: ${syntax.message}`)
check(isDeepStrictEqual(await rows(main, 'RETURN 1'), [[1n]]), 'the connection after an error')

const values = [null, true, false, 0n, -1n, 127n, 128n, -129n, 2n ** 63n - 1n, -(2n ** 63n), 1.5, '', 'ä€😀'.repeat(100),
  [1n, 'two', null, [3.5]], { k: [1n, { deep: true }] }, Array.from({ length: 300 }, (_, i) => BigInt(i)), 'x'.repeat(70000)]
for (const value of values) {
  const [[back]] = await rows(main, 'RETURN $value AS v', { value })
  check(isDeepStrictEqual(back, value), `round trip of ${String(value).slice(0, 60)}: ${String(back).slice(0, 60)}`)
}

const [[path]] = await rows(main, 'CREATE p = (:A {i: 1})-[:R {w: 0.5}]->(:B {i: 2})<-[:S]-(:C) RETURN p')
check(isDeepStrictEqual(path.segments.map(s => s.relationship.type), ['R', 'S']), 'path relationships')
check(isDeepStrictEqual([path.start.labels, path.segments[0].end.labels, path.end.labels], [['A'], ['B'], ['C']]), 'path nodes')

const session = main.session()
const first = await session.beginTransaction()
await first.run('CREATE (:Tx {i: 1})')
await first.rollback()
const second = await session.beginTransaction()
await second.run('CREATE (:Tx {i: 2})')
await second.commit()
await session.executeWrite(tx => tx.run('CREATE (:Tx {i: 3})'))
await session.close()
check(isDeepStrictEqual(await rows(main, 'MATCH (n:Tx) RETURN n.i ORDER BY n.i'), [[2n], [3n]]), 'transactions')

const stream = await rows(main, 'UNWIND range(1, 10000) AS i RETURN i')
check(stream.length === 10000 && stream.every((row, i) => row[0] === BigInt(i + 1)), 'stream of 10,000 rows')

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
async function askHarness (what) {
  console.log(`harness: ${what}`)
  await answers.next()
}
// Names of the replicas that the WARNINGs of one write name.
async function warnedOf () {
  const session = main.session()
  const { summary } = await session.run('CREATE (:Mode)')
  await session.close()
  // Version 6 of the driver shows them as GQL status objects only.
  const texts = summary.gqlStatusObjects.filter(status => status.rawSeverity === 'WARNING').map(status => status.statusDescription)
  return ['r1', 'r2', 'r3'].filter(name => texts.some(text => text.includes(`'${name}'`)))
}
check(isDeepStrictEqual(await warnedOf(), []), 'a warning while all replicas are well')
await askHarness('kill r1')
check(isDeepStrictEqual(await warnedOf(), ['r1']), 'warnings with a dead SYNC replica')
await askHarness('pause r2')
check(isDeepStrictEqual(await warnedOf(), ['r1']), 'warnings with a stuck ASYNC replica too')
await askHarness('pause r3')
check(isDeepStrictEqual(await warnedOf(), ['r1', 'r3']), 'warnings of the write that a stuck SYNC WITH TIMEOUT replica delayed')
check(isDeepStrictEqual(await warnedOf(), ['r1']), 'warnings of the write after it')
await askHarness('resume r2')
await askHarness('resume r3')
process.stdin.destroy()

await Promise.all([main, ...replicas].map(driver => driver.close()))
console.log('story ok')
