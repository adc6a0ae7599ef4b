import {switchyard} from './sides/switchyard.ts';
const q = await switchyard({spawnsAgent: false});
const waiting = new Map<string, (v: number) => void>(); const done = new Map<string, number>(); const start = new Map<string,number>();
let doneCount = 0; let onDone: (()=>void)|undefined;
q.onStamp(([k, id]) => { if (k==='start') start.set(id, performance.now()); if (k === 'done') { doneCount++; onDone?.(); const w = waiting.get(id); if (w) { waiting.delete(id); w(performance.now()); } else done.set(id, 1); } });
const cycle = async () => { const t=performance.now(); const id = await q.add('x'); const added=performance.now(); if (!done.delete(id)) await new Promise<number>(r => waiting.set(id, r)); return [added - t, (start.get(id) ?? 0) - t, performance.now()-t]; };
const p = (a: number[], q: number) => a.toSorted((x, y) => x - y)[Math.floor(a.length * q)]?.toFixed(2);
for (const [c, ms] of [[1, 3000],[64,3000],[1,3000],[64,5000],[64,5000]] as const) {
  const adds: number[] = [], starts: number[] = []; const end = performance.now() + ms; let n=0; const t0=performance.now();
  await Promise.all(Array.from({length: c}, async () => { while (performance.now() < end) { const [a, s] = await cycle(); adds.push(a!); starts.push(s!); n++; } }));
  console.log(`c=${c}`, 'cycles/s', (n/(performance.now()-t0)*1000).toFixed(0), 'add p50', p(adds,.5), 'p99', p(adds,.99), 'start p50', p(starts,.5), 'p99', p(starts,.99));
}
for (let r=0;r<2;r++){ await q.pause?.(); const t=performance.now(); for (let i=0;i<10;i++) await q.addBulk('x',500); const t2=performance.now(); doneCount=0; const all=new Promise<void>(res=>{onDone=()=>{ if(doneCount>=5000) res();};}); await q.resume?.(); await all; console.log('bulk/s', (5000/(t2-t)*1000).toFixed(0),'drain/s', (5000/(performance.now()-t2)*1000).toFixed(0)); onDone=undefined; }
await q.stop(); process.exit(0);
